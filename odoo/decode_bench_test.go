package odoo

import (
	"bytes"
	"io"
	"math"
	"runtime"
	"testing"
)

// BenchmarkDecode compares the reader with the reference on recorded answers, each read from a body.
func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"19_web_read", "19_lines", "14_read", "14_fault"} {
		document := recorded(b, "testdata/answers/"+name+".xml.gz")
		b.Run(name+"/reader", func(b *testing.B) {
			benchDecode(b, document, func(body io.Reader) any {
				v, _ := decodeAnswer(body, math.MaxInt64, 64)
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
