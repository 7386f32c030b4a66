package store

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

// searchWays are bounds that lead a search of some hundred orders by what leaves the fewest, by its terms, through the orders,
// or first the one way and then the other.
var searchWays = []searchBounds{
	defaultSearch, {few: 0, sorted: 1 << 30}, {sorted: 0, walked: 1 << 30}, {sorted: 0, walked: 1}, {few: 20, sorted: 20, walked: 50},
}

// searchPieces is what the imagined orders' references are made of.
var searchPieces = []string{"Größe ", "GRÖSSE", "web-", "PO", "Rück", "u\u0308", "İ", "订单", "0", "00", "7", "42", "-", "/", " ", "%", "_", "\\", "'", "🙂",
	"a reference that is longer than what is kept of it "}

func (m *imagined) reference() string {
	var text strings.Builder
	for range m.random.IntN(7) {
		text.WriteString(searchPieces[m.random.IntN(len(searchPieces))])
	}
	return text.String()
}

// query is part of an order's text, or made as one, or well known.
func (m *imagined) query() string {
	wellKnown := []string{"s", "S00", "0", "größe", "-1", "web-0", "PO", "nowhere", "%", "_", "\\", " s", "a reference that is longer than what is kept of it 7",
		fmt.Sprintf("S%04d", m.random.IntN(imaginedIDs)), fmt.Sprint(m.random.IntN(100)), fmt.Sprintf("s00%d", m.random.IntN(50)), strings.Repeat("PO", 100)}
	switch m.random.IntN(3) {
	case 0:
		return wellKnown[m.random.IntN(len(wellKnown))]
	case 1:
		if made := m.reference(); made != "" {
			return made
		}
	}
	s, known := m.orders[1+m.random.Int64N(imaginedIDs)]
	if !known {
		return "none"
	}
	text := []rune(s.Number + s.Reference)
	from := m.random.IntN(len(text))
	return string(text[from : from+1+m.random.IntN(len(text)-from)])
}

var wordRuns = regexp.MustCompile(`[\p{L}\p{M}]+|\p{N}+`)

// wordBegins is what a search finds, told in another way than the program tells it.
func wordBegins(query string, texts ...string) bool {
	query = strings.TrimRight(strings.ToLower(query), " ")
	begins := wordRuns.FindStringIndex(query)
	if begins == nil {
		return false
	}
	for _, text := range texts {
		text = strings.ToLower(text)
		for _, run := range wordRuns.FindAllStringIndex(text, -1) {
			behindZeros := text[run[0]+len(text[run[0]:run[1]])-len(strings.TrimLeft(text[run[0]:run[1]], "0")):]
			if strings.HasPrefix(text[run[0]:], query[begins[0]:]) || strings.HasPrefix(behindZeros, query[begins[0]:]) {
				return true
			}
		}
	}
	return false
}

// A search takes the way that costs little, whatever the text.
func TestASearchTakesTheShortWay(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, s *Store) {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		place := func(id int) time.Time { return at.Add(time.Duration(id) * time.Minute) }
		status := func(id int64) order.Status {
			if id%70 == 0 {
				return order.Picking
			}
			return order.Completed
		}
		var snapshots []order.Snapshot
		for id := int64(1); id <= 2000; id++ {
			snapshots = append(snapshots, order.Snapshot{WriteDate: at, ReadAt: at, Order: order.Order{ID: id, Number: fmt.Sprintf("S%04d", id),
				Status: status(id), OrderedAt: place(int(id)), Reference: strings.Repeat("long", 10) + fmt.Sprint(id)}})
		}
		_, err := s.UpsertOrders(t.Context(), 1, snapshots, "sync")
		require.NoError(t, err)
		_, err = s.DB().ExecContext(t.Context(), "UPDATE orders SET deleted_at = '2026-12-01' WHERE erp_order_id BETWEEN 500 AND 699")
		require.NoError(t, err)
		s.search = searchBounds{few: 60, sorted: 120, walked: 100}
		s.DB().SetMaxOpenConns(1)
		for _, search := range []struct {
			what   string
			filter order.Filter
			latest int64
			most   int64 // rows and index entries
		}{
			{"few have it", order.Filter{Query: "s0470"}, 470, 100},
			{"some have it", order.Filter{Query: "s01"}, 199, 520},
			{"some have it, a later page", order.Filter{Query: "s01", Before: order.Position{OrderedAt: place(110), ID: 110}}, 109, 510},
			{"fewer have another condition", order.Filter{Query: "s01", Status: order.Picking}, 140, 300},
			{"fewer have it than another condition", order.Filter{Query: "s019", Status: order.Completed}, 199, 80},
			{"all have it", order.Filter{Query: "s"}, 2000, 600},
			// Numbers run with time: those that begin alike may all be old.
			{"old ones have it", order.Filter{Query: "s0"}, 999, 2000},
			{"what it begins with all have", order.Filter{Query: strings.Repeat("long", 10) + "470"}, 470, 5000},
			{"deleted ones may have it", order.Filter{Query: "s05", Sync: order.SyncDeleted}, 599, 700},
			{"deleted ones have it not", order.Filter{Query: "s1", Sync: order.SyncDeleted}, 0, 700},
		} {
			search.filter.Limit = 10
			before := rowsTouched(t, s)
			listing, err := s.ListOrders(t.Context(), 1, search.filter)
			require.NoError(t, err)
			touched := rowsTouched(t, s) - before
			t.Logf("%s: %d", search.what, touched)
			require.LessOrEqual(t, touched, search.most, search.what)
			if search.latest == 0 {
				require.Empty(t, listing.Orders, search.what)
				continue
			}
			require.Equal(t, search.latest, listing.Orders[0].ID, search.what)
		}
	})
}
