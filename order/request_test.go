package order_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordergate/order"
)

func valid() order.Request {
	return order.Request{
		Customer: order.CustomerRef{Ref: "u-17", Name: "Ada", Email: "ada@example.com"},
		Lines:    []order.RequestLine{{SKU: "E-COM07", Quantity: decimal.New(2, 0)}},
	}
}

func TestValidateNamesTheField(t *testing.T) {
	t.Parallel()
	number := func(s string) *decimal.Decimal { d := decimal.RequireFromString(s); return &d }
	tests := []struct {
		field string
		edit  func(*order.Request)
	}{
		{"customer", func(r *order.Request) { r.Customer = order.CustomerRef{} }},
		{"customer", func(r *order.Request) { r.Customer.ERPPartnerID = 9 }},
		{"customer.erp_partner_id", func(r *order.Request) { r.Customer = order.CustomerRef{ERPPartnerID: -1} }},
		{"customer.erp_partner_id", func(r *order.Request) { r.Customer = order.CustomerRef{ERPPartnerID: 1 << 31} }},
		{"customer.email", func(r *order.Request) { r.Customer.Email = "nobody" }},
		{"customer.name", func(r *order.Request) { r.Customer.Name = "two\nlines" }},
		{"customer.ref", func(r *order.Request) { r.Customer.Ref = strings.Repeat("r", order.MaxRefLength+1) }},
		{"reference", func(r *order.Request) { r.Reference = "a\x00b" }},
		{"reference", func(r *order.Request) { r.Reference = "a\xffb" }},
		{"note", func(r *order.Request) { r.Note = "a\rb" }},
		{"note", func(r *order.Request) { r.Note = "a\ufffeb" }},
		{"note", func(r *order.Request) { r.Note = "a\u0085b" }},
		{"note", func(r *order.Request) { r.Note = strings.Repeat("é", order.MaxTextLength+1) }},
		{"lines", func(r *order.Request) { r.Lines = nil }},
		{"lines", func(r *order.Request) { r.Lines = make([]order.RequestLine, order.MaxLines+1) }},
		{"lines[0].sku", func(r *order.Request) { r.Lines[0].SKU = "" }},
		{"lines[0].quantity", func(r *order.Request) { r.Lines[0].Quantity = decimal.Zero }},
		{"lines[0].quantity", func(r *order.Request) { r.Lines[0].Quantity = decimal.New(-1, 0) }},
		{"lines[0].quantity", func(r *order.Request) { r.Lines[0].Quantity = order.MaxQuantity.Add(decimal.New(1, 0)) }},
		{"lines[0].unit_price", func(r *order.Request) { r.Lines[0].UnitPrice = number("-0.01") }},
		{"lines[0].discount", func(r *order.Request) { r.Lines[0].UnitPrice, r.Lines[0].Discount = number("1"), number("100.5") }},
		{"lines[0].discount", func(r *order.Request) { r.Lines[0].Discount = number("10") }},
		{"lines[1].unit_price", func(r *order.Request) {
			r.Lines = append(r.Lines, r.Lines[0])
			r.Lines[0].UnitPrice = number("5")
		}},
		{"shipping_address.name", func(r *order.Request) { r.ShippingAddress = &order.Address{Street: "s", City: "c", Country: "BE"} }},
		{"shipping_address.country", func(r *order.Request) {
			r.ShippingAddress = &order.Address{Name: "n", Street: "s", City: "c", Country: "Belgium"}
		}},
		{"shipping_address.city", func(r *order.Request) {
			r.ShippingAddress = &order.Address{Name: "n", Street: "s", City: "c\x07", Country: "BE"}
		}},
	}
	for _, test := range tests {
		r := valid()
		test.edit(&r)
		err := r.Validate()
		require.NotNil(t, err, test.field)
		require.Equal(t, order.Unprocessable, err.Kind)
		require.Equal(t, test.field, err.Violations[0].Field, "%v", err)
	}
	r := valid()
	require.Nil(t, r.Validate())
	r.Note = "line one\n\tline two — 谢谢 😀 <b>&\"'"
	require.Nil(t, r.Validate())
}

func TestValidateNamesEveryField(t *testing.T) {
	t.Parallel()
	r := valid()
	r.Lines[0].SKU, r.Lines[0].Quantity, r.Reference = "", decimal.Zero, "\x01"
	require.Len(t, r.Validate().Violations, 3)
}

func TestValidateKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "A/b%20c?d#é"[:8], strings.Repeat("k", 255), "8e03978e-40d5-43dd-bc93-6894a57f9324"} {
		require.Nil(t, order.ValidateKey(key), key)
	}
	for _, key := range []string{"", strings.Repeat("k", 256), " a", "a ", "a\tb", "a\x7f", "clé"} {
		err := order.ValidateKey(key)
		require.NotNil(t, err, "%q", key)
		require.Equal(t, order.Malformed, err.Kind)
		require.Equal(t, "Idempotency-Key", err.Violations[0].Field)
	}
}

func TestFingerprintIsOfTheMeaning(t *testing.T) {
	t.Parallel()
	a, b := valid(), valid()
	b.Lines[0].Quantity = decimal.RequireFromString("2.000")
	require.Equal(t, a.Fingerprint(), b.Fingerprint())

	edits := []func(*order.Request){
		func(r *order.Request) { r.Customer.Ref = "u-18" },
		func(r *order.Request) { r.Reference = "PO-2" },
		func(r *order.Request) { r.Note = "n" },
		func(r *order.Request) { r.Confirm = true },
		func(r *order.Request) { r.Lines[0].Quantity = decimal.New(3, 0) },
		func(r *order.Request) { d := decimal.Zero; r.Lines[0].UnitPrice = &d },
		func(r *order.Request) { r.Lines = append(r.Lines, r.Lines[0]) },
		func(r *order.Request) { r.ShippingAddress = &order.Address{Name: "n"} },
		func(r *order.Request) { r.ShippingAddress = &order.Address{Street: "n"} },
		func(r *order.Request) { r.Customer.Name = "" },
		func(r *order.Request) { r.Customer.Name = " Ada" },
		func(r *order.Request) { r.Customer.Name = "Ad\u00e1" },  // á as one character
		func(r *order.Request) { r.Customer.Name = "Ada\u0301" }, // á as two
		func(r *order.Request) { price(r, "0", "0") },
		func(r *order.Request) { price(r, "0", "5") },
		func(r *order.Request) {
			r.Lines = append(r.Lines, order.RequestLine{SKU: "B", Quantity: decimal.New(2, 0)})
		},
		func(r *order.Request) {
			r.Lines = append([]order.RequestLine{{SKU: "B", Quantity: decimal.New(2, 0)}}, r.Lines...)
		},
	}
	seen := map[string]bool{a.Fingerprint(): true}
	for i, edit := range edits {
		r := valid()
		edit(&r)
		require.False(t, seen[r.Fingerprint()], "edit %d changes nothing", i)
		seen[r.Fingerprint()] = true
	}
}

// price sets price and discount of the first line; an empty one is left out.
func price(r *order.Request, unitPrice, discount string) {
	number := func(s string) *decimal.Decimal {
		if s == "" {
			return nil
		}
		d := decimal.RequireFromString(s)
		return &d
	}
	r.Lines[0].UnitPrice, r.Lines[0].Discount = number(unitPrice), number(discount)
}

func TestSpellingsOfANumberHaveOneFingerprint(t *testing.T) {
	t.Parallel()
	for _, spellings := range [][]string{
		{"0", "0.0", "-0", "-0.00", "00"},
		{"2", "2.0", "2.000000", "02", "0002.00"},
		{"100", "100.0", "0100"},
		{"0.5", "0.50", "00.5"},
	} {
		prints := map[string]bool{}
		for _, spelling := range spellings {
			d, err := order.ParseDecimal(spelling)
			require.NoError(t, err)
			r := valid()
			r.Lines[0].Quantity, r.Lines[0].UnitPrice, r.Lines[0].Discount = d, &d, &d
			prints[r.Fingerprint()] = true
		}
		require.Len(t, prints, 1, "%v", spellings)
	}
}

// Intents keep fingerprints for weeks: a version that comes to others would refuse the retries of what an earlier one
// accepted.
func TestFingerprintsStayTheSameAcrossVersions(t *testing.T) {
	t.Parallel()
	small, whole := valid(), valid()
	price(&whole, "19.90", "5")
	whole.Reference, whole.Note, whole.Confirm = "PO <&> 1", "line one\nline two — 谢谢", true
	whole.Customer = order.CustomerRef{ERPPartnerID: 9}
	whole.ShippingAddress = &order.Address{Name: "n", Street: "s", Street2: "t", City: "c", Zip: "z", State: "CA", Country: "US", Phone: "1", Email: "a@b"}
	require.Equal(t, "f4a7c4aaa2b9b99e3320016494433d7fe7ee75c0e4b90a7a9b2c28a5a830d6dc", small.Fingerprint())
	require.Equal(t, "471e241ca541ea15c2668d625a6c42e5ad3b820484798885ef100feb194c162e", whole.Fingerprint())
}

// What an intent keeps must say the same after it was stored.
func TestRequestSurvivesItsJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := decimal.New(rapid.Int64Range(0, 1e12).Draw(t, "price"), -int32(rapid.IntRange(0, 6).Draw(t, "places")))
		r := order.Request{
			Customer:  order.CustomerRef{Ref: rapid.String().Draw(t, "ref")},
			Reference: rapid.String().Draw(t, "reference"), Note: rapid.String().Draw(t, "note"),
			Confirm: rapid.Bool().Draw(t, "confirm"),
			Lines: []order.RequestLine{{
				SKU: rapid.String().Draw(t, "sku"), UnitPrice: &price,
				Quantity: decimal.New(rapid.Int64Range(1, 1e9).Draw(t, "quantity"), -2),
			}},
		}
		r.Normalize()
		stored, err := json.Marshal(r)
		require.NoError(t, err)
		var back order.Request
		require.NoError(t, json.Unmarshal(stored, &back))
		back.Normalize()
		require.Equal(t, r.Fingerprint(), back.Fingerprint())
	})
}

func TestValidatePrecision(t *testing.T) {
	t.Parallel()
	r := valid()
	r.Lines[0].Quantity = decimal.RequireFromString("1.2500")
	require.Nil(t, r.ValidatePrecision(order.Precision{Quantity: 2, Price: 2, Discount: 2}))
	require.Equal(t, "lines[0].quantity", r.ValidatePrecision(order.Precision{Quantity: 1}).Violations[0].Field)
}
