package odoo

import (
	"fmt"
	"strconv"
	"strings"

	"ordergate/order"
)

// All that differs between the versions of Odoo stands in this file.

// oldestMajor is the oldest version that the client knows.
const oldestMajor = 14

// dialect is how one version of Odoo wants to be spoken to.
type dialect struct {
	lineUnit          string // the field of a line's unit of measure
	quantityPrecision string // the name of the precision of quantities
	noteIsHTML        bool   // else plain text
	webRead           bool   // web_read: an order and its lines in one call, under the same snapshot
	locked            bool   // an order that is done is a locked "sale"; before, its state was "done"
	hasAccess         bool   // has_access; before, check_access_rights
	formattedGroups   bool   // formatted_read_group; before, read_group, which is deprecated now
}

func dialectOf(v Version) dialect {
	d := dialect{
		lineUnit:          "product_uom",
		quantityPrecision: "Product Unit of Measure",
		noteIsHTML:        v.Major >= 15,
		webRead:           v.Major >= 17,
		locked:            v.Major >= 17,
		hasAccess:         v.Major >= 18,
		formattedGroups:   v.Major >= 19,
	}
	if v.Major >= 19 {
		d.lineUnit = "product_uom_id"
		d.quantityPrecision = "Product Unit"
	}
	return d
}

// status turns an order's state into ours.
func (d dialect) status(state string, locked bool) (order.Status, error) {
	switch state {
	case "draft":
		return order.Draft, nil
	case "sent":
		return order.Sent, nil
	case "sale":
		if locked {
			return order.Done, nil
		}
		return order.Confirmed, nil
	case "done":
		return order.Done, nil
	case "cancel":
		return order.Cancelled, nil
	}
	return "", fmt.Errorf("an order of the unknown state %.40q", state)
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

// parseVersion reads the answer of common.version. The first element of server_version_info is a number, or, in Odoo's
// own hosting, a string such as "saas~18".
func parseVersion(v any) (Version, error) {
	about, _ := v.(map[string]any)
	info, _ := about["server_version_info"].([]any)
	full, _ := about["server_serie"].(string)
	if len(info) == 0 || full == "" {
		return Version{}, badAnswer(fmt.Errorf("version answered %.200v", v))
	}
	major, ok := info[0].(int64)
	if !ok {
		text, _ := info[0].(string)
		parsed, err := strconv.ParseInt(strings.TrimPrefix(text, "saas~"), 10, 64)
		if err != nil {
			return Version{}, badAnswer(fmt.Errorf("version answered %.200v", v))
		}
		major = parsed
	}
	if major < oldestMajor {
		return Version{}, notSent(Misconfigured, fmt.Sprintf("Odoo %s is too old: %d is the oldest that is supported", full, oldestMajor), nil)
	}
	return Version{Major: int(major), Full: full}, nil
}
