package gateway

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"ordergate/order"
)

const headerReplayed = "Idempotency-Replayed"

// PlaceOrder answers POST /v1/orders.
func (a *api) PlaceOrder(ctx context.Context, request PlaceOrderRequestObject) (PlaceOrderResponseObject, error) {
	ctx, call := enter(ctx)
	wish, err := readOrderRequest(request.Body)
	if err != nil {
		return nil, err
	}
	key := orNone(request.Params.IdempotencyKey)
	if orNone(request.Params.DryRun) {
		preview, err := call.service.Preview(ctx, call.caller, key, wish)
		if err != nil {
			return nil, err
		}
		return PlaceOrder200JSONResponse(renderPreview(preview)), nil
	}
	preferred := parsePreferences(orNone(request.Params.Prefer))
	placement, err := a.place(ctx, call, key, wish, preferred)
	if err != nil {
		if placement.Replayed {
			err = &storedAnswer{err}
		}
		return nil, err
	}

	replayed := orNull(placement.Replayed)
	if placement.Order == nil {
		if preferred.respondAsync {
			call.preferenceApplied = preferRespondAsync
		}
		return PlaceOrder202JSONResponse{
			Body: renderIntent(placement.Intent, call.caller),
			Headers: PlaceOrder202ResponseHeaders{
				Location:            intentURL(placement.Intent, call.caller),
				RetryAfter:          a.pollAfter(placement.Intent),
				IdempotencyReplayed: replayed,
				PreferenceApplied:   orNull(call.preferenceApplied),
			},
		}, nil
	}
	return PlaceOrder201JSONResponse{
		Body: renderWithShortages(*placement.Order),
		Headers: PlaceOrder201ResponseHeaders{
			Location: orderURL(placement.Order.ID), ETag: etag(placement.Order.Version), IdempotencyReplayed: replayed,
			PreferenceApplied: orNull(call.preferenceApplied),
		},
	}, nil
}

// place places the order in the way that its caller prefers. A wait beyond the deadline that a request has anyway
// changes nothing.
func (a *api) place(ctx context.Context, call *call, key string, wish order.Request, p preferences) (order.Placement, error) {
	switch {
	case p.respondAsync:
		return call.service.Enqueue(ctx, call.caller, key, wish)
	case p.wait > 0 && p.wait <= a.requestTimeout:
		call.preferenceApplied = fmt.Sprintf("%s=%d", preferWait, seconds(p.wait))
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.wait)
		defer cancel()
	}
	return call.service.Place(ctx, call.caller, key, wish)
}

// ListOrders answers GET /v1/orders.
func (a *api) ListOrders(ctx context.Context, request ListOrdersRequestObject) (ListOrdersResponseObject, error) {
	ctx, call := enter(ctx)
	filter, err := readOrderFilter(request.Params)
	if err != nil {
		return nil, err
	}
	listing, err := call.service.Orders(ctx, call.caller, filter)
	if err != nil {
		return nil, err
	}

	page := ListOrders200JSONResponse{Orders: make([]Order, len(listing.Orders)), Sync: renderSync(listing.Sync)}
	for i, o := range listing.Orders {
		page.Orders[i] = renderOrder(o)
	}
	if listing.Next.ID != 0 {
		next := encodeCursor(cursor{List: listOrders, ID: listing.Next.ID, At: listing.Next.OrderedAt})
		page.NextCursor = &next
	}
	return page, nil
}

// GetOrder answers GET /v1/orders/{id}.
func (a *api) GetOrder(ctx context.Context, request GetOrderRequestObject) (GetOrderResponseObject, error) {
	ctx, call := enter(ctx)
	found, status, err := call.service.Order(ctx, call.caller, request.ID)
	if err != nil {
		return nil, err
	}
	return GetOrder200JSONResponse{
		Headers: GetOrder200ResponseHeaders{ETag: etag(found.Version)},
		Body:    OrderWithSync{Order: renderOrder(found), Sync: renderOrderSync(status)},
	}, nil
}

// orderWithSync is the contract's OrderWithSync. The generator would copy the members of Order.
type orderWithSync struct {
	Order
	Sync OrderSync `json:"sync"`
}

func orderURL(id int64) string { return fmt.Sprintf("/v1/orders/%d", id) }

// readOrderRequest turns the body into the domain's request. What it says is the service's to judge.
func readOrderRequest(body *OrderRequest) (order.Request, error) {
	request := order.Request{
		Reference: orNone(body.Reference), Note: orNone(body.Note), Confirm: orNone(body.Confirm),
		Lines: make([]order.RequestLine, len(body.Lines)),
	}
	if c := body.Customer; c != nil {
		request.Customer = order.CustomerRef{
			Ref: orNone(c.Ref), Name: orNone(c.Name), Email: orNone(c.Email), Phone: orNone(c.Phone),
			ERPPartnerID: orNone(c.ERPPartnerID),
		}
	}
	request.ShippingAddress = readAddress(body.ShippingAddress)

	var found []order.Violation
	for i, l := range body.Lines {
		request.Lines[i] = order.RequestLine{
			SKU: l.SKU, Quantity: decimalAt(&found, l.Quantity, "lines[%d].quantity", i),
			UnitPrice: decimalIfAt(&found, l.UnitPrice, "lines[%d].unit_price", i),
			Discount:  decimalIfAt(&found, l.Discount, "lines[%d].discount", i),
		}
	}
	return request, invalid(found)
}

func renderPreview(p order.Preview) OrderPreview {
	load := func(l order.Load) ERPLoad {
		return ERPLoad{Model: l.Model, Method: ERPLoadMethodLoad, Fields: l.Fields, Rows: l.Rows}
	}
	loadOrNull := func(l *order.Load) *ERPLoad {
		if l == nil {
			return nil
		}
		rendered := load(*l)
		return &rendered
	}
	return OrderPreview{
		DryRun: true, IdempotencyKey: p.Key, Confirm: p.Confirm,
		Values: PreviewedValues{Customer: loadOrNull(p.Customer), ShippingAddress: loadOrNull(p.ShippingAddress), Order: load(p.Order)},
	}
}

func readOrderFilter(p ListOrdersParams) (order.Filter, error) {
	filter := order.Filter{
		CustomerRef: orNone(p.Customer), ERPPartnerID: orNone(p.ERPPartnerID),
		Status: order.Status(orNone(p.Status)), Query: orNone(p.Q), Limit: pageSize(p.Limit),
		Source: orNone(p.Source), Sync: order.OrderSyncState(orNone(p.Sync)),
		Blocked: p.Blocked != nil, Code: orNone(p.StatusCode),
	}
	var found []order.Violation
	if p.Customer != nil && p.ERPPartnerID != nil {
		found = append(found, order.Violation{Field: "customer", Message: "give customer or erp_partner_id, not both"})
	}
	if p.Q != nil {
		if _, hasWords := order.ParseSearch(*p.Q); !hasWords {
			found = append(found, order.Violation{Field: "q", Message: "has neither a letter nor a digit to look for"})
		}
	}
	filter.From, filter.To = readMoment(&found, "from", p.From), readMoment(&found, "to", p.To)
	if p.Cursor != nil {
		at, ok := decodeCursor(*p.Cursor, listOrders)
		if !ok {
			found = append(found, order.Violation{Field: "cursor", Message: notACursor})
		}
		filter.Before = order.Position{OrderedAt: at.At, ID: at.ID}
	}
	return filter, invalid(found)
}

// readMoment reads a time that a parameter may give; zero if it does not.
func readMoment(found *[]order.Violation, parameter string, text *string) time.Time {
	if text == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		*found = append(*found, order.Violation{Field: parameter, Message: notATime})
	}
	return t.UTC()
}

func renderOrder(o order.Order) Order {
	amount := func(d decimal.Decimal) string { return order.FormatAmount(d, o.CurrencyDecimals) }
	rendered := Order{
		ID: o.ID, Number: o.Number, Status: OrderStatus(o.Status),
		Customer: Party{
			ERPPartnerID: o.Customer.ERPPartnerID, Ref: orNull(o.Customer.Ref),
			Name: o.Customer.Name, Email: orNull(o.Customer.Email),
		},
		Reference: orNull(o.Reference), Source: o.Source, Note: orNull(o.Note), Currency: o.Currency,
		AmountUntaxed: amount(o.AmountUntaxed), AmountTax: amount(o.AmountTax), AmountTotal: amount(o.AmountTotal),
		Lines:     make([]OrderLine, len(o.Lines)),
		OrderedAt: utc(o.OrderedAt), CreatedAt: utc(o.CreatedAt), UpdatedAt: utc(o.UpdatedAt),
		DeletedAt:  utcOrNull(o.DeletedAt),
		Deliveries: renderDeliveries(o.Deliveries), Invoices: renderInvoices(o.Invoices, o.CurrencyDecimals),
		Edits:      renderEdits(o.Edits, o.CurrencyDecimals),
		Fulfilment: OrderFulfilment(o.Fulfilment), Payment: OrderPayment(o.Payment),
	}
	for i, l := range o.Lines {
		rendered.Lines[i] = OrderLine{
			ERPLineID: l.ERPLineID, ERPProductID: orNull(l.ERPProductID), SKU: orNull(l.SKU), Name: l.Name,
			UnitOfMeasure: orNull(l.UnitOfMeasure), Quantity: order.FormatQuantity(l.Quantity),
			UnitPrice: amount(l.UnitPrice), Discount: order.FormatQuantity(l.Discount),
			Subtotal: amount(l.Subtotal), Tax: amount(l.Tax), Total: amount(l.Total),
			QuantityDelivered: order.FormatQuantity(l.Delivered), QuantityInvoiced: order.FormatQuantity(l.Invoiced),
		}
	}
	return rendered
}
