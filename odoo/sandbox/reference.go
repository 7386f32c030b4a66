package sandbox

import (
	"fmt"
	"strings"
)

const (
	accountTax = "account.tax"
	apiKeys    = "res.users.apikeys"
	modelData  = "ir.model.data"
	precision  = "decimal.precision"
)

// referenceModels are the small tables that orders, partners and products point at. What the gateway's user may do with
// them is what its groups allow on the real servers.
func referenceModels(major int) []*model {
	country := define("res.country", "Country", []*field{
		{name: "name", label: "Country Name", kind: kindChar, required: true},
		{name: "code", label: "Country Code", kind: kindChar},
	})
	country.order = "name"
	country.denied = "create write unlink"

	state := define("res.country.state", "Country state", []*field{
		{name: "name", label: "State Name", kind: kindChar, required: true},
		{name: "code", label: "State Code", kind: kindChar, required: true},
		{name: "country_id", label: "Country", kind: kindMany2one, comodel: "res.country", required: true},
	})
	state.order = "code"
	state.displayName = func(e *env, r *row) string {
		countries, c := e.follow(state, r, "country_id")
		return e.text(state, r, "name") + " (" + e.text(countries, c, "code") + ")"
	}

	currency := define("res.currency", "Currency", []*field{
		{name: "name", label: "Currency", kind: kindChar, required: true},
		{name: "symbol", label: "Symbol", kind: kindChar},
		{name: "decimal_places", label: "Decimal Places", kind: kindInteger},
		{name: "rounding", label: "Rounding Factor", kind: kindFloat},
		{name: "active", label: "Active", kind: kindBoolean},
	})
	currency.order = "name"

	tax := define(accountTax, "Tax", []*field{
		{name: "name", label: "Tax Name", kind: kindChar, required: true},
		{name: "amount", label: "Amount", kind: kindFloat},
		{name: "price_include", label: "Included in Price", kind: kindBoolean},
	})
	unit := define("uom.uom", "Product Unit of Measure", []*field{
		{name: "name", label: "Unit of Measure", kind: kindChar, required: true},
	})

	users := define("res.users", "User", []*field{
		{name: "name", label: "Name", kind: kindChar, required: true},
		{name: "login", label: "Login", kind: kindChar, required: true},
		{name: "email", label: "Email", kind: kindChar},
	})
	users.denied = "create write unlink"
	users.methods = map[string]method{"context_get": {"", false, callContextGet}}

	digits := define(precision, "Decimal Precision", []*field{
		{name: "name", label: "Usage", kind: kindChar, required: true},
		{name: "digits", label: "Digits", kind: kindInteger},
	})
	digits.denied = "create read write unlink"
	digits.methods = map[string]method{"precision_get": {"", false, callPrecisionGet}}

	return []*model{country, state, currency, tax, unit, users, keyModel(major), digits, modelDataModel(major)}
}

// keyModel holds what users see of their API keys, which is neither the key nor a part of it.
func keyModel(major int) *model {
	fields := []*field{
		{name: "name", label: "Description", kind: kindChar, required: true},
		{name: "user_id", label: "User", kind: kindMany2one, comodel: "res.users", required: true},
		{name: "scope", label: "Scope", kind: kindChar},
	}
	if major >= 18 {
		fields = append(fields, &field{name: "expiration_date", label: "Expiration Date", kind: kindDatetime})
	}
	m := define(apiKeys, "Users API Keys", fields)
	m.denied = "create write unlink"
	return m
}

// callContextGet says who is asking.
func callContextGet(e *env, _ *model, _ arguments) (any, error) {
	return record{{"lang", "en_US"}, {"tz", nil}, {"uid", e.user.id}}, nil
}

// modelDataModel holds the external ids.
func modelDataModel(major int) *model {
	m := define(modelData, "Model Data", []*field{
		{name: "module", label: "Module", kind: kindChar, required: true},
		{name: "name", label: "External Identifier", kind: kindChar, required: true},
		{name: "complete_name", label: "Complete ID", kind: kindChar, compute: func(e *env, m *model, r *row) any {
			return e.text(m, r, "module") + "." + e.text(m, r, "name")
		}},
		{name: "model", label: "Model Name", kind: kindChar, required: true},
		{name: "res_id", label: "Record ID", kind: kindInteger, indexed: true},
		{name: "noupdate", label: "Non Updatable", kind: kindBoolean},
	})
	m.order = "module, model, name"
	m.methods = map[string]method{"check_object_reference": {"", false, callCheckObjectReference}}
	m.denied = "write unlink"
	if major >= 17 {
		m.denied = "create read write unlink"
	}
	return m
}

// callCheckObjectReference needs no right to read external ids, and tells what one stands for if the user may see that.
func callCheckObjectReference(e *env, _ *model, a arguments) (any, error) {
	v, err := a.values("module", "xml_id", "raise_on_access_error?")
	if err != nil {
		return nil, err
	}
	externalID := fmt.Sprintf("%v.%v", v["module"], v["xml_id"])
	name, id, _, ok := e.resolve(externalID)
	if !ok {
		return nil, programError("ValueError", "External ID not found in the system: %s", externalID)
	}
	return []any{name, id}, nil
}

func splitExternalID(externalID string) (module, name string) {
	module, name, _ = strings.Cut(externalID, ".")
	return module, name
}

// callPrecisionGet needs no right, and knows 2 for what it does not know.
func callPrecisionGet(e *env, m *model, a arguments) (any, error) {
	v, err := a.values("application")
	if err != nil {
		return nil, err
	}
	for _, id := range m.ids {
		if r := m.rows[id]; e.text(m, r, "name") == v["application"] {
			return e.integer(m, r, "digits"), nil
		}
	}
	return 2, nil
}
