package odoo_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/odoo"
	"ordergate/order"
)

// tagged is a shop whose order is a quotation with tags, and in which three tags may stand: 7 with the gateway's external id
// for holds, 8 by the name of approvals, 9 of people.
type tagged struct {
	*shop
	there  atomic.Bool // 7 and 8 are
	denied atomic.Bool // the user may not read tags
	gone   atomic.Bool // a tag is not there any more, which an order is to have
}

func newTagged(t *testing.T, tags ...any) *tagged {
	t.Helper()
	s := &tagged{shop: newShop(t, 19)}
	s.order["state"], s.order["tag_ids"] = "draft", tags
	s.fake.handle(func(f *fakeOdoo) { f.onObject = s.serve })
	return s
}

func (s *tagged) serve(w http.ResponseWriter, r *http.Request) {
	s.fake.mu.Lock()
	called, body := s.fake.calls[len(s.fake.calls)-1], s.fake.bodies[len(s.fake.bodies)-1]
	s.fake.mu.Unlock()
	refused := func(message string, field any) {
		value(map[string]any{"ids": false, "messages": []any{map[string]any{"type": "error", "message": message, "field": field,
			"record": int64(0), "rows": map[string]any{"from": int64(0), "to": int64(0)}}}})(w, r)
	}
	switch {
	case called == "sale.order.write" && s.gone.Load():
		faulty(2, "Record does not exist or has been deleted.")(w, r)
	case called == "sale.order.write":
		value(true)(w, r)
	case called == "crm.tag.load" && s.denied.Load():
		refused("You are not allowed to create 'CRM Tag' (crm.tag) records.", false)
	case called == "crm.tag.load" && strings.Contains(body, "<string>name</string>"):
		s.there.Store(true) // somebody was faster
		refused("Tag name already exists!", "name")
	case called == "crm.tag.load" && s.there.Load() && strings.Contains(body, "ordergate.tag_hold"):
		value(map[string]any{"ids": []any{int64(7)}, "messages": []any{}})(w, r)
	case called == "crm.tag.load":
		refused("Missing required value for the field 'Tag Name' (name)", "name")
	case called == "crm.tag.search_read" && s.there.Load():
		value([]any{map[string]any{"id": int64(7), "name": "On hold"}, map[string]any{"id": int64(8), "name": "Approved"}})(w, r)
	case called == "crm.tag.search_read":
		value([]any{})(w, r)
	default:
		s.shop.serve(w, r)
	}
}

func TestTagsAreLookedForWhereTheyAreNew(t *testing.T) {
	t.Parallel()
	s := newTagged(t)
	s.there.Store(true)
	var ahead atomic.Int64
	cfg := s.fake.config()
	cfg.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	c := newClient(t, cfg)
	status := func(tags ...any) order.Status {
		t.Helper()
		s.mu.Lock()
		s.order["tag_ids"] = tags
		s.mu.Unlock()
		found, err := c.Orders(t.Context(), []int64{5})
		require.NoError(t, err)
		return found[0].Status
	}
	looks := func() int { return s.fake.count("crm.tag.load") / 2 }

	require.Equal(t, order.Draft, status([]any{}...))
	require.Zero(t, looks(), "most orders have none")
	require.Equal(t, order.OnHold, status(int64(7)))
	require.Equal(t, order.OnHold, status(int64(7), int64(8)))
	require.Equal(t, order.Approved, status(int64(8)))
	require.Equal(t, 1, looks())
	require.Equal(t, order.Draft, status(int64(9)))
	require.Equal(t, 2, looks(), "it may be another process's")
	require.Equal(t, order.Approved, status(int64(9), int64(8)))
	require.Equal(t, order.Draft, status(int64(9)))
	require.Equal(t, 2, looks())
	require.Equal(t, order.Draft, status(int64(10)))
	require.Equal(t, order.Draft, status(int64(9), int64(10)))
	require.Equal(t, 3, looks(), "what was seen before is remembered")
	ahead.Store(int64(10 * time.Minute))
	require.Equal(t, order.Draft, status(int64(9)))
	require.Equal(t, 4, looks(), "people may have renamed one")
}

func TestTagsThatAreMadeLaterCount(t *testing.T) {
	t.Parallel()
	s := newTagged(t, int64(9))
	c := newClient(t, s.fake.config())
	found, err := c.Orders(t.Context(), []int64{5})
	require.NoError(t, err)
	require.Equal(t, order.Draft, found[0].Status)
	s.there.Store(true)
	s.mu.Lock()
	s.order["tag_ids"] = []any{int64(7), int64(9)}
	s.mu.Unlock()
	found, err = c.Orders(t.Context(), []int64{5})
	require.NoError(t, err)
	require.Equal(t, order.OnHold, found[0].Status)
}

func TestNothingIsOnHoldWithoutTheRightToTags(t *testing.T) {
	t.Parallel()
	s := newTagged(t, int64(7))
	s.there.Store(true)
	s.denied.Store(true)
	c := newClient(t, s.fake.config())
	for range 2 {
		found, err := c.Orders(t.Context(), []int64{5})
		require.NoError(t, err)
		require.Equal(t, order.Draft, found[0].Status)
	}
	require.Equal(t, 1, s.fake.count("crm.tag.load"), "it is not asked for every time")
	_, _, err := c.HoldTags(t.Context())
	requireError(t, err, odoo.Rejected, odoo.AccessRights)
}

// Two processes may make the tags at the same moment: the names are unique, so that one of them is refused.
func TestATagThatAnotherProcessMakesIsFound(t *testing.T) {
	t.Parallel()
	s := newTagged(t)
	hold, approved, err := newClient(t, s.fake.config()).HoldTags(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, hold)
	require.EqualValues(t, 8, approved)
}

// The tags are looked for once, until setting them is refused.
func TestTagsAreRemembered(t *testing.T) {
	t.Parallel()
	s := newTagged(t)
	s.there.Store(true)
	c := newClient(t, s.fake.config())
	set := func() error {
		hold, _, err := c.HoldTags(t.Context())
		require.NoError(t, err)
		return c.SetTags(t.Context(), []int64{5}, []int64{hold}, nil)
	}
	require.NoError(t, set())
	asked := s.fake.count("crm.tag.load")
	require.NoError(t, set())
	require.Equal(t, asked, s.fake.count("crm.tag.load"))
	s.gone.Store(true)
	require.Error(t, set())
	s.gone.Store(false)
	require.NoError(t, set())
	require.Greater(t, s.fake.count("crm.tag.load"), asked)
}

// A confirmed order's tags mean nothing, and are not looked at.
func TestTagsOfSalesOrdersMeanNothing(t *testing.T) {
	t.Parallel()
	s := newTagged(t, int64(7))
	s.order["state"] = "sale"
	found, err := newClient(t, s.fake.config()).Orders(t.Context(), []int64{5})
	require.NoError(t, err)
	require.Equal(t, order.Confirmed, found[0].Status)
	require.Zero(t, s.fake.count("crm.tag.load"))
}
