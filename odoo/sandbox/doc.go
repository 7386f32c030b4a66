// Package sandbox is a stand-in for Odoo that lives inside the process. It speaks the real XML-RPC, and as version 19 JSON-2,
// over HTTP for what an order gateway needs: catalogue, partners, sale orders and load with external ids, and with Options.Documents
// deliveries, invoices and payments. `ordergate serve --sandbox` runs on it, and so do the project's tests.
//
//	server, err := sandbox.Start(sandbox.Options{Major: 19})
//	if err != nil {
//		return err
//	}
//	defer server.Close()
//	// server.URL(), sandbox.Database, sandbox.User and sandbox.Password are what a client needs.
//
// What it answers was measured on Odoo 14.0 and 19.0, and follows the version that Options.Major names: names of fields, texts and
// codes of faults, rounding, and which write moves which write_date. real_test.go asks the sandbox and the real servers
// the same questions. The package does not import the client that is tested against it, so that the two
// cannot share a misunderstanding.
//
// # Time
//
// Everything is dated by Options.Clock, the Date header of answers included. As in Odoo, write_date is the start of the transaction,
// has microseconds inside, and is shown to the second.
//
// # Trouble
//
// Misbehave makes the next calls fail in the ways that networks, proxies and Odoo itself fail, before or after the
// commit, and SetDown takes the server off its port.
package sandbox
