package odoo

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"runtime"
	"testing"
)

// BenchmarkDecode compares the reader with the reference on recorded answers, each read from a body, and with the reader of JSON on
// the same values.
func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"19_web_read", "19_lines", "14_read", "14_fault"} {
		document := recorded(b, "testdata/answers/"+name+".xml.gz")
		b.Run(name+"/reader", func(b *testing.B) {
			benchDecode(b, document, func(body io.Reader) any {
				v, _ := decodeAnswer(body, math.MaxInt64, 64)
				return v
			})
		})
		v, _ := decodeAnswer(bytes.NewReader(document), math.MaxInt64, 64)
		asJSON, _ := json.Marshal(v)
		b.Run(name+"/json", func(b *testing.B) {
			benchDecode(b, asJSON, func(body io.Reader) any {
				v, _ := decodeJSON(body, math.MaxInt64, 64)
				return v
			})
		})
		b.Run(name+"/reference", func(b *testing.B) {
			benchDecode(b, document, func(body io.Reader) any {
				data, _ := io.ReadAll(body)
				v, _ := reference(data)
				return v
			})
		})
	}
}

func benchDecode(b *testing.B, document []byte, decode func(body io.Reader) any) {
	b.SetBytes(int64(len(document)))
	b.ReportAllocs()
	for b.Loop() {
		runtime.KeepAlive(decode(bytes.NewReader(document)))
	}
}
