// Package proxy stands between a test and a real server and makes the network misbehave at a chosen moment: it loses
// the answer of a request that the server has carried out, cuts connections between two statements, refuses new ones.
//
// HTTP understands requests and answers, for Odoo. TCP knows only bytes and connections, for databases, and for what
// happens below HTTP.
//
// A fault that never struck would let its test pass without having tested anything. So a fault that is asked for a
// certain number of times fails the test if it struck fewer times by the end.
package proxy

import "bytes"

// Contains returns a match for everything that holds each of the texts.
func Contains(texts ...string) func(sent []byte) bool {
	return func(sent []byte) bool {
		for _, text := range texts {
			if !bytes.Contains(sent, []byte(text)) {
				return false
			}
		}
		return true
	}
}
