package conformance

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

func (b *bundle) newPartner(name string) odoo.NewPartner {
	return odoo.NewPartner{
		ExternalID: "conformance_" + b.tag + "_partner_" + name,
		Name:       `Žižka & <Söhne> "GmbH" ` + name, Email: name + "@example.com", Phone: "+420 123 456", Ref: name + "-" + b.tag,
	}
}

func (b *bundle) testEnsurePartner(t *testing.T) {
	p := b.newPartner("ensure")
	id, err := ensureOne(t.Context(), b.client, p)
	require.NoError(t, err)
	customer := b.partnerByID(t, id)
	require.Equal(t, id, customer.ERPPartnerID)
	require.Equal(t, id, customer.ERPCompanyID, "a contact without a company is its own")
	require.Equal(t, p.Name, customer.Name)
	require.Equal(t, p.Email, customer.Email)
	require.Equal(t, p.Phone, customer.Phone)
	require.True(t, customer.Active)
	require.Empty(t, customer.Ref)
	require.Equal(t, p.Ref, b.admin.read(t, "res.partner", id, "ref")["ref"])

	b.admin.write(t, "res.partner", id, map[string]any{"email": "edited@example.com"})
	again, err := ensureOne(t.Context(), b.client, p)
	require.NoError(t, err)
	require.Equal(t, id, again)
	require.Equal(t, "edited@example.com", b.partnerByID(t, id).Email, "the edit stays")
	require.EqualValues(t, 1, b.admin.count(t, "res.partner", "ref", p.Ref))
}

func (b *bundle) testEnsurePartnerConcurrently(t *testing.T) {
	const callers = 6
	p := b.newPartner("race")
	ids, errs := make([]int64, callers), make([]error, callers)
	var callersDone sync.WaitGroup
	for i := range callers {
		callersDone.Go(func() { ids[i], errs[i] = ensureOne(t.Context(), b.client, p) })
	}
	callersDone.Wait()
	for i := range callers {
		require.NoError(t, errs[i])
		require.Equal(t, ids[0], ids[i])
	}
	require.EqualValues(t, 1, b.admin.count(t, "res.partner", "ref", p.Ref))
}

func (b *bundle) testEnsurePartnerForDelivery(t *testing.T) {
	country, state, err := b.client.Country(t.Context(), "US", "CA")
	require.NoError(t, err)
	p := b.newPartner("delivery")
	p.ParentID, p.CountryID, p.StateID = b.partner, country, state
	p.Street, p.Street2, p.City, p.Zip = "1 Main St.", "2nd floor", "Los Angeles", "00012"
	id, err := ensureOne(t.Context(), b.client, p)
	require.NoError(t, err)
	require.Equal(t, b.partner, b.partnerByID(t, id).ERPCompanyID)
	read := b.admin.read(t, "res.partner", id, "type", "parent_id", "street", "street2", "city", "zip", "country_id", "state_id")
	require.Equal(t, "delivery", read["type"])
	require.Equal(t, b.partner, read["parent_id"].([]any)[0])
	require.Equal(t, p.Street, read["street"])
	require.Equal(t, p.Street2, read["street2"])
	require.Equal(t, p.City, read["city"])
	require.Equal(t, p.Zip, read["zip"], "a zip is not a number")
	require.Equal(t, country, read["country_id"].([]any)[0])
	require.Equal(t, state, read["state_id"].([]any)[0])
}

func (b *bundle) testEnsurePartnerRejected(t *testing.T) {
	nameless := b.newPartner("nameless")
	nameless.Name = ""
	_, err := ensureOne(t.Context(), b.client, nameless)
	e := requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, "Contacts require a name", e.Message)
	require.Zero(t, b.admin.count(t, "res.partner", "ref", nameless.Ref))

	orphan := b.newPartner("orphan")
	orphan.ParentID = noSuchID
	_, err = ensureOne(t.Context(), b.client, orphan)
	e = requireError(t, err, odoo.Rejected, odoo.BusinessRule)
	require.Equal(t, "parent_id/.id", e.Field)
	require.Equal(t, 0, e.Row)
}

func (b *bundle) testEnsurePartnersTogether(t *testing.T) {
	known, twice, full := b.newPartner("known"), b.newPartner("twice"), b.newPartner("full")
	knownID, err := ensureOne(t.Context(), b.client, known)
	require.NoError(t, err)
	full.Street = "1 Main St." // one column more: another call
	again := twice
	again.Name = "Not this one"
	nameless := b.newPartner("nameless too")
	nameless.ExternalID, nameless.Name = "conformance_"+b.tag+"_nameless_too", ""

	c, calls := b.countingClient(t)
	results := c.EnsurePartners(t.Context(), []odoo.NewPartner{twice, known, full, again, nameless})
	require.Len(t, results, 5)
	for i, r := range results[:4] {
		require.Nil(t, r.Err, "%d", i)
	}
	require.Equal(t, knownID, results[1].ID)
	require.Equal(t, results[0], results[3], "one partner")
	require.Equal(t, twice.Name, b.partnerByID(t, results[0].ID).Name, "the first of them counts")
	require.Equal(t, full.Name, b.partnerByID(t, results[2].ID).Name)
	requireError(t, results[4].Err, odoo.Rejected, odoo.BusinessRule)
	require.EqualValues(t, 1, b.admin.count(t, "res.partner", "ref", twice.Ref))
	require.Equal(t, 3, calls(), "one for each set of columns")
}

// testEnsurePartnersMoreBadThanLoadNames has more errors in one call than load reports: it stops after ten.
func (b *bundle) testEnsurePartnersMoreBadThanLoadNames(t *testing.T) {
	partners := make([]odoo.NewPartner, 15)
	for i := range partners {
		partners[i] = b.newPartner("unnamed_" + string(rune('a'+i)))
		partners[i].Name = ""
	}
	c, calls := b.countingClient(t)
	for i, r := range c.EnsurePartners(t.Context(), partners) {
		e := requireError(t, r.Err, odoo.Rejected, odoo.BusinessRule)
		require.Equal(t, "Contacts require a name", e.Message, "%d", i)
		require.Zero(t, b.admin.count(t, "res.partner", "ref", partners[i].Ref))
	}
	require.Equal(t, 3, calls(), "a call names ten at most, and what it says of the first must be asked again")
}

func (b *bundle) testPartners(t *testing.T) {
	id, err := ensureOne(t.Context(), b.client, b.newPartner("archived"))
	require.NoError(t, err)
	created := b.partnerByID(t, id).WriteDate
	var found []order.Customer
	require.Eventually(t, func() bool {
		b.admin.write(t, "res.partner", id, map[string]any{"active": false})
		found, err = b.client.Partners(t.Context(), odoo.Page{Since: created.Add(time.Second), AfterID: id - 1, Limit: 1})
		require.NoError(t, err)
		return len(found) == 1 && found[0].ERPPartnerID == id
	}, 10*time.Second, 200*time.Millisecond)
	require.False(t, found[0].Active)
	require.True(t, found[0].WriteDate.After(created))

	found, err = b.client.PartnersByID(t.Context(), []int64{b.partner, id, noSuchID})
	require.NoError(t, err)
	require.Len(t, found, 2, "archived ones too, those that do not exist left out")
}

func (b *bundle) partnerByID(t *testing.T, id int64) order.Customer {
	t.Helper()
	found, err := b.client.PartnersByID(t.Context(), []int64{id})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}
