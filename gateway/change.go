package gateway

import (
	"context"
	"strings"

	"ordergate/order"
)

const headerIfMatch = "If-Match"

// ChangeOrder answers PATCH /v1/orders/{id}.
func (a *api) ChangeOrder(ctx context.Context, request ChangeOrderRequestObject) (ChangeOrderResponseObject, error) {
	versions, err := readIfMatch(request.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	change, err := readChange(request.Body)
	if err != nil {
		return nil, err
	}
	done, accepted, err := a.act(ctx, request.Params.IdempotencyKey,
		order.Action{Kind: order.Amend, OrderID: request.ID, Change: change, IfVersion: versions})
	switch {
	case err != nil:
		return nil, err
	case accepted != nil:
		return ChangeOrder202JSONResponse{*accepted}, nil
	}
	return ChangeOrder200JSONResponse{*done}, nil
}

// etag is the version of an order as a header has it; nil where there is none.
func etag(version string) *string {
	if version == "" {
		return nil
	}
	return orNull(`"` + version + `"`)
}

// readIfMatch returns the versions that the header names; none for "*", which any version matches. A weak one matches none: the
// header compares strongly (RFC 9110, 13.1.1).
func readIfMatch(header *string) (versions []string, err error) {
	fail := func(e *order.Error, violation string) ([]string, error) {
		e.Violations = []order.Violation{{Field: headerIfMatch, Message: violation}}
		return nil, e
	}
	rest := strings.TrimSpace(orNone(header))
	switch rest {
	case "":
		return fail(order.Errorf(order.PreconditionRequired, "precondition_required",
			"Send If-Match with the ETag of the order that the change was made for."), "is required")
	case "*":
		return nil, nil
	}
	for rest != "" {
		strong, weak := strings.CutPrefix(rest, "W/")
		tag, after, closed := strings.Cut(strings.TrimPrefix(strong, `"`), `"`)
		after = strings.TrimLeft(after, " \t")
		another, separated := strings.CutPrefix(after, ",")
		if !strings.HasPrefix(strong, `"`) || !closed || after != "" && !separated {
			return fail(order.Errorf(order.Malformed, "if_match_invalid",
				"If-Match cannot be read. Send the ETag as it was given, quotation marks included."), "is not a list of ETags")
		}
		if weak {
			tag = "W/" + tag
		}
		versions = append(versions, tag)
		rest = strings.TrimLeft(another, " \t")
	}
	return versions, nil
}

// readChange turns the body into the domain's change. What it says is the service's to judge.
func readChange(body *ChangeRequest) (*order.Change, error) {
	change := &order.Change{
		Reference: body.Reference, Note: body.Note,
		ShippingAddress: readAddress(body.ShippingAddress), BillingAddress: readAddress(body.BillingAddress),
	}
	var found []order.Violation
	for i, l := range orNone(body.Lines) {
		change.Lines = append(change.Lines, order.ChangeLine{
			LineID: orNone(l.ERPLineID), SKU: orNone(l.SKU), Remove: orNone(l.Remove),
			Quantity:  decimalIfAt(&found, l.Quantity, "lines[%d].quantity", i),
			UnitPrice: decimalIfAt(&found, l.UnitPrice, "lines[%d].unit_price", i),
			Discount:  decimalIfAt(&found, l.Discount, "lines[%d].discount", i),
		})
	}
	return change, invalid(found)
}

func readAddress(a *Address) *order.Address {
	if a == nil {
		return nil
	}
	return &order.Address{
		Name: a.Name, Street: a.Street, Street2: orNone(a.Street2), City: a.City, Zip: orNone(a.Zip),
		State: orNone(a.State), Country: a.Country, Phone: orNone(a.Phone), Email: orNone(a.Email),
	}
}
