package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
	"ordergate/store"
)

func product(id int64, sku string) order.Product {
	return order.Product{ERPProductID: id, SKU: sku, Name: "Product " + sku, UnitOfMeasure: "Units", ListPrice: dec("19.9"),
		Currency: "EUR", Sellable: true, Active: true, WriteDate: At(10, 0)}
}

func customer(id int64, ref string) order.Customer {
	return order.Customer{ERPPartnerID: id, ERPCompanyID: id, Ref: ref, Name: "Name of " + ref, Email: ref + "@example.com",
		Phone: "+32 2 555 01 02", Active: true, WriteDate: At(10, 0)}
}

var catalogueTests = map[string]func(t *testing.T, f fixture){
	"ProductsComeBackAsTheyWent": func(t *testing.T, f fixture) {
		archived := product(2, "B")
		archived.Active, archived.Sellable, archived.ListPrice = false, false, dec("0.000001")
		require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{product(3, ""), archived, product(1, "A")}))
		got, err := f.ProductsByID(t.Context(), f.tenant, []int64{3, 1, 2, 1, 99})
		require.NoError(t, err)
		require.Equal(t, []order.Product{product(1, "A"), archived, product(3, "")}, normal(got))
	},

	"WhatTheERPDeletedIsForgotten": func(t *testing.T, f fixture) {
		require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{product(1, "A"), product(2, "A")}))
		require.NoError(t, f.ForgetProducts(t.Context(), f.tenant, []int64{1, 99}))
		left, err := f.ProductsBySKU(t.Context(), f.tenant, []string{"A"})
		require.NoError(t, err)
		require.Equal(t, []order.Product{product(2, "A")}, normal(left))

		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{customer(9, "u-17")}))
		require.NoError(t, f.ForgetCustomers(t.Context(), f.tenant, []int64{9}))
		_, err = f.CustomerByRef(t.Context(), f.tenant, "u-17")
		require.True(t, order.IsKind(err, order.NotFound))
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{customer(10, "u-17")}), "its ref is free")
	},

	"SKUsAreComparedByteByByteAndMayBeShared": func(t *testing.T, f fixture) {
		for i, sku := range []string{"ABC", "abc", "abc ", "abç", "abc"} {
			require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{product(int64(i+1), sku)}))
		}
		for sku, want := range map[string][]int64{"ABC": {1}, "abc": {2, 5}, "abc ": {3}, "abç": {4}, "Abc": {}} {
			got, err := f.ProductsBySKU(t.Context(), f.tenant, []string{sku})
			require.NoError(t, err)
			ids := []int64{}
			for _, p := range got {
				ids = append(ids, p.ERPProductID)
			}
			require.Equal(t, want, ids, "SKU %q", sku)
		}
		none, err := f.ProductsBySKU(t.Context(), f.tenant, nil)
		require.NoError(t, err)
		require.Empty(t, none)
	},

	"AnOlderProductNeverReplacesANewerOne": func(t *testing.T, f fixture) {
		renamed := product(1, "A")
		renamed.SKU, renamed.WriteDate = "A2", At(10, 5)
		require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{renamed}))
		require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{product(1, "A")}))
		got, err := f.ProductsByID(t.Context(), f.tenant, []int64{1})
		require.NoError(t, err)
		require.Equal(t, "A2", got[0].SKU)

		updatedAt := f.column(t.Context(), t, "SELECT updated_at FROM products WHERE tenant_id = ?", f.tenant)
		require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{renamed}))
		require.Equal(t, updatedAt, f.column(t.Context(), t, "SELECT updated_at FROM products WHERE tenant_id = ?", f.tenant),
			"an unchanged product writes nothing")
		renamed.Active, renamed.WriteDate = false, At(10, 6)
		require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, []order.Product{renamed}))
		got, err = f.ProductsByID(t.Context(), f.tenant, []int64{1})
		require.NoError(t, err)
		require.False(t, got[0].Active)
	},

	"ProductsAreListedByIDAndSearched": func(t *testing.T, f fixture) {
		var products []order.Product
		for id := int64(1); id <= 1100; id++ {
			products = append(products, product(id, "P"))
		}
		products[4].SKU, products[6].Name = "Screw_5%", "Grüner Tisch"
		require.NoError(t, f.UpsertProducts(t.Context(), f.tenant, products))
		page, err := f.ListProducts(t.Context(), f.tenant, order.CatalogueFilter{AfterID: 3, Limit: 2})
		require.NoError(t, err)
		require.Len(t, page, 2)
		require.EqualValues(t, 4, page[0].ERPProductID)
		page, err = f.ListProducts(t.Context(), f.tenant, order.CatalogueFilter{})
		require.NoError(t, err)
		require.Len(t, page, order.DefaultPageSize)
		for query, want := range map[string]int64{"sCREW_5%": 5, "GRÜNER": 7} {
			page, err = f.ListProducts(t.Context(), f.tenant, order.CatalogueFilter{Query: query, Limit: 10})
			require.NoError(t, err)
			require.Len(t, page, 1, query)
			require.Equal(t, want, page[0].ERPProductID)
		}
		all, err := f.ProductsBySKU(t.Context(), f.tenant, []string{"P"})
		require.NoError(t, err)
		require.Len(t, all, 1099)
	},

	"CustomersComeBackAsTheyWent": func(t *testing.T, f fixture) {
		contact := customer(2, "u-2")
		contact.ERPCompanyID, contact.Active = 1, false
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{contact, customer(1, "")}))
		got, err := f.CustomersByPartner(t.Context(), f.tenant, []int64{2, 1, 99})
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.WithinDuration(t, time.Now(), got[1].CreatedAt, time.Minute)
		contact.CreatedAt = got[1].CreatedAt
		require.Equal(t, contact, got[1])
		byRef, err := f.CustomerByRef(t.Context(), f.tenant, "u-2")
		require.NoError(t, err)
		require.Equal(t, contact, byRef)
		for _, ref := range []string{"U-2", "u-2 ", "", "ü-2"} {
			_, err = f.CustomerByRef(t.Context(), f.tenant, ref)
			requireNotFound(t, err, "customer_not_found")
		}
	},

	"TheERPDoesNotTakeARefAway": func(t *testing.T, f fixture) {
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{customer(1, "u-1")}))
		fromERP := customer(1, "")
		fromERP.Name, fromERP.WriteDate = "Renamed", At(10, 5)
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{fromERP}))
		got, err := f.CustomerByRef(t.Context(), f.tenant, "u-1")
		require.NoError(t, err)
		require.Equal(t, "Renamed", got.Name)

		older := customer(1, "u-new")
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{older}))
		got, err = f.CustomerByRef(t.Context(), f.tenant, "u-new")
		require.NoError(t, err)
		require.Equal(t, "Renamed", got.Name, "an older state never replaces a newer one")
		found, err := f.ListCustomers(t.Context(), f.tenant, order.CatalogueFilter{Query: "U-NEW"})
		require.NoError(t, err)
		require.Len(t, found, 1)
	},

	"ARefIsOneCustomers": func(t *testing.T, f fixture) {
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant,
			[]order.Customer{customer(1, "u-1"), customer(2, ""), customer(3, "")}))
		err := f.UpsertCustomers(t.Context(), f.tenant, []order.Customer{customer(4, ""), customer(2, "u-1")})
		require.ErrorIs(t, err, store.ErrExists)
		got, err := f.CustomersByPartner(t.Context(), f.tenant, []int64{4})
		require.NoError(t, err)
		require.Empty(t, got, "the whole batch is left out")
	},

	"CustomersAreListedByIDAndSearched": func(t *testing.T, f fixture) {
		require.NoError(t, f.UpsertCustomers(t.Context(), f.tenant,
			[]order.Customer{customer(3, "c"), customer(1, "a"), customer(2, "b")}))
		page, err := f.ListCustomers(t.Context(), f.tenant, order.CatalogueFilter{AfterID: 1, Limit: 1})
		require.NoError(t, err)
		require.Len(t, page, 1)
		require.EqualValues(t, 2, page[0].ERPPartnerID)
		page, err = f.ListCustomers(t.Context(), f.tenant, order.CatalogueFilter{Query: "C@EXAMPLE"})
		require.NoError(t, err)
		require.Len(t, page, 1)
		require.EqualValues(t, 3, page[0].ERPPartnerID)
	},
}

// normal spells list prices in the shortest way.
func normal(products []order.Product) []order.Product {
	for i := range products {
		products[i].ListPrice = dec(products[i].ListPrice.String())
	}
	return products
}
