package sandbox

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/kolo/xmlrpc"
	"github.com/stretchr/testify/require"
)

type (
	list = []any
	dict = map[string]any
)

// bench is a sandbox that is asked without HTTP: decoding, the call and encoding are what is measured.
type bench struct {
	*Server
}

func newBench(b *testing.B, orders int) bench {
	s, err := Start(Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	bb := bench{s}
	for i := range orders {
		bb.ask(b, bb.load(b, i))
	}
	return bb
}

func (s bench) encode(b *testing.B, model, method string, args list, kwargs dict) []byte {
	body, err := xmlrpc.EncodeMethodCall("execute_kw", Database, UserID, Password, model, method, args, kwargs)
	require.NoError(b, err)
	return body
}

// load is a call that creates an order of two lines.
func (s bench) load(b *testing.B, i int) []byte {
	x := func(suffix string) string { return fmt.Sprintf("og.o%d%s", i, suffix) }
	return s.encode(b, saleOrder, "load", list{
		list{"id", "partner_id/.id", "client_order_ref", "order_line/id", "order_line/product_id/.id", "order_line/product_uom_qty", "order_line/price_unit"},
		list{list{x(""), "9", "PO", x("_1"), "16", "2", "19.90"}, list{"", "", "", x("_2"), "17", "1", "5"}},
	}, dict{"context": dict{"mode": "update", "noupdate": true}})
}

func (s bench) ask(b *testing.B, body []byte) []byte {
	req, err := decodeRequest(bytes.NewReader(body))
	require.NoError(b, err)
	answer := s.resolve("object", req).answer(s.now())
	require.NotContains(b, string(answer.body[:min(len(answer.body), 80)]), "<fault>")
	return answer.body
}

func BenchmarkLoad(b *testing.B) {
	s := newBench(b, 0)
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i] = s.load(b, i)
	}
	b.ResetTimer()
	for i := range b.N {
		s.ask(b, bodies[i])
	}
}

func BenchmarkReplay(b *testing.B) {
	s := newBench(b, 1)
	body := s.load(b, 0)
	for b.Loop() {
		s.ask(b, body)
	}
}

func BenchmarkSearchIn10000Orders(b *testing.B) {
	s := newBench(b, 10_000)
	since := formatTime(time.Now().Add(time.Hour))
	for name, domain := range map[string]list{
		"page by id":        {list{"id", ">", 5000}},
		"since, none new":   {list{"id", ">", 0}, list{"write_date", ">=", since}},
		"since, all new":    {list{"id", ">", 5000}, list{"write_date", ">=", "2020-01-01 00:00:00"}},
		"by id":             {list{"id", "in", list{7000, 8000}}},
		"by reference":      {list{"client_order_ref", "=", "nobody's"}},
		"lines of an order": {list{"order_id", "in", list{7000}}},
	} {
		model := saleOrder
		if name == "lines of an order" {
			model = saleOrderLine
		}
		body := s.encode(b, model, "search_read", list{domain}, dict{"fields": list{"write_date"}, "order": "id asc", "limit": 100})
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.ask(b, body)
			}
		})
	}
}
