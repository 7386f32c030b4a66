package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"ordergate/order"
)

// Adoption is what another system's table says of an order of the ERP.
type Adoption struct {
	ERPOrderID int64
	Source     string // the system that placed the order; empty: not known
	Keys       []AdoptedKey
}

// AdoptedKey is an idempotency key under which another system placed an order.
type AdoptedKey struct {
	Source, Key string
	Reference   string // that the order was placed with; empty: not known
}

// Adopted is what became of an Adoption, or would.
type Adopted struct {
	Sourced   bool       // the order had no source but the ERP, and has the adoption's
	Keys      int        // that were added
	Taken     []TakenKey // keys that stand for something else, and were left
	Reference string     // of the order, as the mirror has it
}

// TakenKey is a key that an intent has already.
type TakenKey struct {
	AdoptedKey
	ERPOrderID int64 // the order of that intent; 0 if it has none
}

// recordedByAdopt is who made the intents and history entries of adoptions.
const recordedByAdopt = "adopt"

// AdoptOrders sets the sources of orders that have none but the ERP, with a history entry each, and adds an intent in Adopted
// for every key that is free, in transactions of up to 200 orders. What was placed through the gateway, or adopted before,
// keeps what it has; of an order that the mirror lacks nothing is written. It returns what it did, in the order of the
// adoptions. Without apply it only reports, and takes an order that the mirror lacks for one that the ERP has. If an error
// ends it, the batches before it stay.
func (s *Store) AdoptOrders(ctx context.Context, tenantID int64, adoptions []Adoption, apply bool) ([]Adopted, error) {
	run := func(work func(tx *gorm.DB) error) error { return s.read(ctx, "adopt", "orders", work) }
	if apply {
		run = func(work func(tx *gorm.DB) error) error { return s.insertRace(ctx, "adopt", "orders", keyIntent, work) }
	}
	var all []Adopted
	for batch := range slices.Chunk(adoptions, upsertBatch) {
		var a adopting
		err := run(func(tx *gorm.DB) error {
			a = adopting{store: s, tx: tx, tenantID: tenantID, apply: apply}
			return a.run(batch)
		})
		if err != nil {
			return all, err
		}
		all = append(all, a.done...)
	}
	return all, nil
}

// adopting is one batch of adoptions.
type adopting struct {
	store    *Store
	tx       *gorm.DB
	tenantID int64
	apply    bool

	orders map[int64]orderRow    // by ERP id
	keys   map[keyOfSource]int64 // the orders of the keys that are taken; 0: none yet

	done    []Adopted
	sources map[string][]int64 // rows of orders to be given a source
	history *appending         // of the orders; nil: nothing is to be written
	intents []intentRow
}

type keyOfSource struct{ source, key string }

func (a *adopting) run(batch []Adoption) error {
	if err := a.readOrders(batch); err != nil {
		return err
	}
	if err := a.readKeys(batch); err != nil {
		return err
	}
	a.done, a.sources = make([]Adopted, len(batch)), map[string][]int64{}
	for i, adoption := range batch {
		if err := a.judge(adoption, &a.done[i]); err != nil {
			return err
		}
	}
	if !a.apply {
		return nil
	}
	return a.write()
}

// readOrders reads, and locks, what the mirror holds of the orders.
func (a *adopting) readOrders(batch []Adoption) error {
	ids := make([]int64, len(batch))
	for i, adoption := range batch {
		ids[i] = adoption.ERPOrderID
	}
	query := a.tx
	if a.apply {
		query = a.store.forUpdate(query)
	}
	var rows []orderRow
	err := query.Select("id", "erp_order_id", "erp_partner_id", "status", "source", "reference", "ordered_at").
		Where("tenant_id = ? AND erp_order_id IN ?", a.tenantID, ids).Order("erp_order_id").Find(&rows).Error
	if err != nil {
		return err
	}
	a.orders = make(map[int64]orderRow, len(rows))
	orderedAt := make(map[int64]time.Time, len(rows))
	for _, row := range rows {
		a.orders[row.ERPOrderID], orderedAt[row.ERPOrderID] = row, row.OrderedAt
	}
	if a.apply {
		a.history, err = a.store.appendTo(a.tx, a.tenantID, a.store.now(), orderedAt)
	}
	return err
}

// readKeys finds out which keys are taken.
func (a *adopting) readKeys(batch []Adoption) error {
	wanted := map[string][]string{}
	for _, adoption := range batch {
		for _, k := range adoption.Keys {
			wanted[k.Source] = append(wanted[k.Source], k.Key)
		}
	}
	a.keys = map[keyOfSource]int64{}
	for source, keys := range wanted {
		for chunk := range slices.Chunk(keys, lookupIDs) {
			var rows []intentRow
			err := a.tx.Select("idempotency_key", "erp_order_id").
				Where("tenant_id = ? AND source = ? AND idempotency_key IN ?", a.tenantID, source, chunk).Find(&rows).Error
			if err != nil {
				return err
			}
			for _, row := range rows {
				a.keys[keyOfSource{source, row.IdempotencyKey}] = row.ERPOrderID.Int64
			}
		}
	}
	return nil
}

// judge decides what becomes of one adoption.
func (a *adopting) judge(adoption Adoption, done *Adopted) error {
	row, known := a.orders[adoption.ERPOrderID]
	if a.apply && !known {
		return nil
	}
	done.Reference = row.Reference
	if adoption.Source != "" && cmp.Or(row.Source, order.SourceERP) == order.SourceERP {
		done.Sourced = true
		a.sources[adoption.Source] = append(a.sources[adoption.Source], row.ID)
		if a.apply {
			adopted := order.Entry(row.ERPOrderID, order.HistoryAdopted)
			adopted.Detail = "placed by " + adoption.Source
			adopted.Payload = order.PayloadText(map[string]any{"source": adoption.Source, "status": row.Status})
			a.history.add(row.ERPOrderID, recordedByAdopt, adopted)
		}
	}
	for _, k := range adoption.Keys {
		name := keyOfSource{k.Source, k.Key}
		standing, taken := a.keys[name]
		switch {
		case !taken:
			intent, err := a.intent(k, row)
			if err != nil {
				return err
			}
			a.keys[name] = adoption.ERPOrderID
			a.intents = append(a.intents, intent)
			done.Keys++
		case standing != adoption.ERPOrderID:
			done.Taken = append(done.Taken, TakenKey{k, standing})
		}
	}
	return nil
}

// intent is what answers for a key from now on.
func (a *adopting) intent(k AdoptedKey, of orderRow) (intentRow, error) {
	customer := order.CustomerRef{ERPPartnerID: of.ERPPartnerID}
	now := a.store.now()
	row, err := newIntentRow(&order.Intent{
		TenantID: a.tenantID, Source: k.Source, Key: k.Key, State: order.Adopted, Caller: recordedByAdopt,
		Request: order.Request{Customer: customer, Reference: k.Reference}, Customer: customer.QueueName(), CreatedAt: now, UpdatedAt: now,
	})
	row.ERPOrderID.Int64, row.ERPOrderID.Valid = of.ERPOrderID, true
	return row, err
}

func (a *adopting) write() error {
	for source, ids := range a.sources {
		err := a.tx.Model(&orderRow{}).Where("tenant_id = ? AND id IN ?", a.tenantID, ids).
			Updates(map[string]any{"source": source, "updated_at": a.store.now()}).Error
		if err != nil {
			return err
		}
	}
	if err := a.history.write(); err != nil || len(a.intents) == 0 {
		return err
	}
	return a.tx.CreateInBatches(&a.intents, insertRows).Error
}
