package sandbox

import (
	"slices"
	"sync"
	"time"
)

// database holds all tables. Reading calls share mu and writing ones hold it alone, so every call is a serializable
// transaction.
type database struct {
	mu     sync.RWMutex
	models map[string]*model

	externalIDs map[string]int64 // complete name → row of ir.model.data
	documents   bool             // there are deliveries and invoices

	// The last numbers given. Like PostgreSQL's sequences, a rollback does not give one back.
	orderNumber, pickingNumber, invoiceNumber int64
}

// user is who a call was authenticated as.
type user struct {
	id       int64
	login    string
	password string
	key      string // for the API; empty: none
	name     string
	admin    bool
}

// env is one transaction: who, with which context, since when, and how to undo what it did.
type env struct {
	db      *database
	major   int
	json2   bool // called over JSON-2
	user    user
	context map[string]any
	now     time.Time // the start of the transaction
	undo    []func()
	stale   map[int64]bool // orders whose amounts are to be computed before the transaction ends
}

// rollback undoes all that the transaction did, or, given a savepoint, what it did since then.
func (e *env) rollback(savepoint int) {
	for _, undo := range slices.Backward(e.undo[savepoint:]) {
		undo()
	}
	e.undo = e.undo[:savepoint]
}

// flag reads a boolean of the context.
func (e *env) flag(name string) (value, given bool) {
	v, ok := e.context[name]
	if !ok {
		return false, false
	}
	return truth(v), true
}

// value returns what a row holds in a field.
func (e *env) value(m *model, r *row, f *field) any {
	switch {
	case f.column >= 0:
		return r.values[f.column]
	case f.kind == kindOne2many:
		return e.children(r, f)
	}
	return f.compute(e, m, r)
}

// get is value, by the name of a field that the model must have.
func (e *env) get(m *model, r *row, name string) any { return e.value(m, r, m.byName[name]) }

func (e *env) integer(m *model, r *row, name string) int64 {
	n, _ := e.get(m, r, name).(int64)
	return n
}

func (e *env) float(m *model, r *row, name string) float64 {
	f, _ := e.get(m, r, name).(float64)
	return f
}

func (e *env) text(m *model, r *row, name string) string {
	s, _ := e.get(m, r, name).(string)
	return s
}

// follow returns the record that a many2one field points at; nil if it is empty.
func (e *env) follow(m *model, r *row, many2one string) (*model, *row) {
	target := e.db.models[m.byName[many2one].comodel]
	return target, target.rows[e.integer(m, r, many2one)]
}

// children returns the ids of a one2many field, in the order of the comodel.
func (e *env) children(r *row, f *field) []int64 {
	comodel := e.db.models[f.comodel]
	ids := slices.Clone(comodel.index[f.inverse][r.id])
	sequence := comodel.byName["sequence"]
	if sequence == nil {
		return ids
	}
	slices.SortStableFunc(ids, func(a, b int64) int {
		x, _ := comodel.rows[a].values[sequence.column].(int64)
		y, _ := comodel.rows[b].values[sequence.column].(int64)
		return int(x - y)
	})
	return ids
}

// insert stores a new row with values for the stored fields.
func (e *env) insert(m *model, values map[string]any) *row {
	m.lastID++
	r := &row{id: m.lastID, values: make([]any, m.stored), created: e.now, written: e.now}
	for name, v := range values {
		r.values[m.byName[name].column] = v
	}
	m.add(r)
	e.undo = append(e.undo, func() { m.remove(r) })
	return r
}

// update stores values in a row, without a new write_date.
func (e *env) update(m *model, r *row, values map[string]any) {
	before := *r
	after := row{id: r.id, values: slices.Clone(r.values), created: r.created, written: r.written}
	for name, v := range values {
		after.values[m.byName[name].column] = v
	}
	m.replace(r, after)
	e.undo = append(e.undo, func() { m.replace(r, before) })
}

// touch gives a row the write_date of this transaction.
func (e *env) touch(m *model, r *row) {
	if r.written.Equal(e.now) {
		return
	}
	before := r.written
	r.written = e.now
	e.undo = append(e.undo, func() { r.written = before })
}

// drop removes a row together with its external ids.
func (e *env) drop(m *model, r *row) {
	data := e.db.models[modelData]
	for _, id := range slices.Clone(data.index["res_id"][r.id]) {
		d := data.rows[id]
		if e.text(data, d, "model") != m.name {
			continue
		}
		name := e.text(data, d, "complete_name")
		data.remove(d)
		delete(e.db.externalIDs, name)
		e.undo = append(e.undo, func() {
			data.add(d)
			e.db.externalIDs[name] = d.id
		})
	}
	m.remove(r)
	e.undo = append(e.undo, func() { m.add(r) })
}

// bind gives a record an external id.
func (e *env) bind(externalID string, m *model, id int64, noupdate bool) {
	module, name := splitExternalID(externalID)
	d := e.insert(e.db.models[modelData], map[string]any{
		"module": module, "name": name, "model": m.name, "res_id": id, "noupdate": noupdate,
	})
	e.db.externalIDs[externalID] = d.id
	e.undo = append(e.undo, func() { delete(e.db.externalIDs, externalID) })
}

// resolve returns what an external id stands for.
func (e *env) resolve(externalID string) (model string, id int64, noupdate, ok bool) {
	dataID, ok := e.db.externalIDs[externalID]
	if !ok {
		return "", 0, false, false
	}
	data := e.db.models[modelData]
	d := data.rows[dataID]
	noupdate, _ = e.get(data, d, "noupdate").(bool)
	return e.text(data, d, "model"), e.integer(data, d, "res_id"), noupdate, true
}

func (m *model) add(r *row) {
	m.rows[r.id] = r
	if n := len(m.ids); n == 0 || m.ids[n-1] < r.id {
		m.ids = append(m.ids, r.id)
	} else if at, found := slices.BinarySearch(m.ids, r.id); !found {
		m.ids = slices.Insert(m.ids, at, r.id)
	}
	m.enter(r)
}

func (m *model) remove(r *row) {
	m.leave(r)
	delete(m.rows, r.id)
	if at, found := slices.BinarySearch(m.ids, r.id); found {
		m.ids = slices.Delete(m.ids, at, at+1)
	}
}

func (m *model) replace(r *row, with row) {
	m.leave(r)
	*r = with
	m.enter(r)
}

// enter and leave keep the indexes.
func (m *model) enter(r *row) {
	for name, byValue := range m.index {
		v := r.values[m.byName[name].column]
		ids := byValue[v]
		at, _ := slices.BinarySearch(ids, r.id)
		byValue[v] = slices.Insert(ids, at, r.id)
	}
}

func (m *model) leave(r *row) {
	for name, byValue := range m.index {
		v := r.values[m.byName[name].column]
		ids := byValue[v]
		at, found := slices.BinarySearch(ids, r.id)
		if !found {
			continue
		}
		if len(ids) == 1 {
			delete(byValue, v)
			continue
		}
		byValue[v] = slices.Delete(ids, at, at+1)
	}
}
