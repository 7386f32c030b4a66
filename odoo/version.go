package odoo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ordergate/order"
)

// All that differs between the versions of Odoo stands in this file.

const (
	oldestMajor = 14 // that the client knows
	oldestJSON2 = 19 // that speaks JSON-2
)

// dialect is how one version of Odoo wants to be spoken to.
type dialect struct {
	lineUnit          string // the field of a line's unit of measure
	quantityPrecision string // the name of the precision of quantities
	noteIsHTML        bool   // else plain text
	webRead           bool   // web_read: an order and its lines in one call, under the same snapshot
	nestedDocuments   bool   // and its documents as well, as it was seen to do
	locked            bool   // an order that is done is a locked "sale"; before, its state was "done"
	hasAccess         bool   // has_access; before, check_access_rights
	formattedGroups   bool   // formatted_read_group; before, read_group, which is deprecated now
	moves             string // the field of a delivery's moves
	doneQuantity      string // the field of a move for what goes out now
	paymentMemo       string // the field of a payment that its memo stands in
	picked            bool   // and that it does is said by another field; before, by a quantity greater than 0
	keysExpire        bool   // API keys may have an end
	lineHeld          string // the field of a move line for what is reserved by it
	lineDone          string // the field of a move line for what goes out now
	lotModel          string // what lots and serial numbers are
	createReturns     string // the button of the dialogue for returns
	returnPlace       bool   // and that dialogue must be told where the goods go to
	returnsOwnUnit    bool   // and counts in the unit that products are kept in; else in that of the move
	storable          string // the field of a product that says whether stock is kept of it: a flag, or its type
	reserved          string // the field of a move for what is reserved
}

func dialectOf(v Version) dialect {
	d := dialect{
		lineUnit:          "product_uom",
		quantityPrecision: "Product Unit of Measure",
		noteIsHTML:        v.Major >= 15,
		webRead:           v.Major >= 17,
		nestedDocuments:   v.Major >= 19,
		locked:            v.Major >= 17,
		hasAccess:         v.Major >= 18,
		formattedGroups:   v.Major >= 19,
		keysExpire:        v.Major >= 18,
		moves:             "move_lines",
		doneQuantity:      "quantity_done",
		paymentMemo:       "ref",
		picked:            v.Major >= 17,
		lineHeld:          "product_uom_qty",
		lineDone:          "qty_done",
		lotModel:          "stock.production.lot",
		createReturns:     "create_returns",
		returnPlace:       v.Major < 18,
		returnsOwnUnit:    v.Major < 19,
		storable:          "type",
		reserved:          "reserved_availability",
	}
	if v.Major >= 16 {
		d.moves = "move_ids"
		d.lineHeld = "reserved_uom_qty"
		d.lotModel = "stock.lot"
	}
	if v.Major >= 17 {
		d.doneQuantity = "quantity"
		d.reserved = "quantity"
		d.lineHeld, d.lineDone = "quantity", "quantity"
	}
	if v.Major >= 18 {
		d.paymentMemo = "memo"
		d.createReturns = "action_create_returns"
		d.storable = "is_storable"
	}
	if v.Major >= 19 {
		d.lineUnit = "product_uom_id"
		d.quantityPrecision = "Product Unit"
	}
	return d
}

// state reads an order's state, which newer versions keep in two fields.
func (d dialect) state(state string, locked bool) (order.ERPState, error) {
	s := order.ERPState(state)
	switch {
	case !slices.Contains(order.ERPStates, s):
		return "", fmt.Errorf("an order of the unknown state %.40q", state)
	case s == order.StateSale && locked:
		return order.StateDone, nil
	}
	return s, nil
}

// inWarehouse is the context in which a product's quantities are those of one warehouse. The key was renamed in one of the versions
// between 14 and 19; each of the two knows only its own.
func inWarehouse(id int64) map[string]any {
	return map[string]any{"warehouse": id, "warehouse_id": id, "active_test": false}
}

// keepsStock reads whether stock is kept of a product.
func (d dialect) keepsStock(r *record) bool {
	if d.storable == "type" {
		return r.text("type") == "product"
	}
	return r.flag(d.storable)
}

// note writes plain text as the note field of an order takes it.
func (d dialect) note(text string) string {
	if d.noteIsHTML {
		return htmlFromText(text)
	}
	return text
}

// plainNote reads the note field of an order as plain text.
func (d dialect) plainNote(note string) string {
	if d.noteIsHTML {
		return textFromHTML(note)
	}
	return note
}

// accessCheck is the call that asks whether the user may do an operation on a model.
func (d dialect) accessCheck(operation string) (method string, args []any, kwargs map[string]any) {
	if d.hasAccess {
		return "has_access", []any{[]any{}, operation}, map[string]any{}
	}
	return "check_access_rights", []any{operation}, map[string]any{"raise_exception": false}
}

// parseVersion reads the answer of common.version.
func parseVersion(v any) (Version, error) {
	about, _ := v.(map[string]any)
	info, _ := about["server_version_info"].([]any)
	full, _ := about["server_serie"].(string)
	if len(info) == 0 || full == "" {
		return Version{}, badAnswer(fmt.Errorf("version answered %.200v", v))
	}
	return versionOf(info[0], full)
}

// parseJSONVersion reads the answer of /json/version, which does not have the series ("19.0") by itself.
func parseJSONVersion(v any) (Version, error) {
	about, _ := v.(map[string]any)
	info, _ := about["version_info"].([]any)
	if len(info) < 2 {
		return Version{}, badAnswer(fmt.Errorf("version answered %.200v", v))
	}
	return versionOf(info[0], fmt.Sprintf("%v.%v", info[0], info[1]))
}

// versionOf makes a version of the first element of Odoo's version_info, which is a number, or, in Odoo's own hosting, a
// string such as "saas~18".
func versionOf(first any, full string) (Version, error) {
	major, ok := first.(int64)
	if !ok {
		text, _ := first.(string)
		parsed, err := strconv.ParseInt(strings.TrimPrefix(text, "saas~"), 10, 64)
		if err != nil {
			return Version{}, badAnswer(fmt.Errorf("version answered %.200v", first))
		}
		major = parsed
	}
	if major < oldestMajor {
		return Version{}, notSent(Misconfigured, fmt.Sprintf("Odoo %s is too old: %d is the oldest that is supported", full, oldestMajor), nil)
	}
	return Version{Major: int(major), Full: full}, nil
}
