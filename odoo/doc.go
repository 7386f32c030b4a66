// Package odoo is the ERP client: sale orders, products and partners of an Odoo 14 to 19+, in Odoo's own terms, over
// XML-RPC or, from 19 on and with an API key, JSON-2. It knows nothing of databases or of HTTP callers.
//
//	client, err := odoo.New(odoo.Config{
//		URL: "https://erp.example.com", Database: "shop", User: "gateway", Password: password,
//	})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	loaded := client.PlaceOrders(ctx, []odoo.NewOrder{{
//		ExternalID: "t1_portal_5f2c", PartnerID: 9,
//		Lines: []odoo.NewLine{{ExternalID: "t1_portal_5f2c_1", ProductID: 38, Quantity: two}},
//	}})
//
// New touches no network. The first call finds out the version and the protocol, and logs in; the client does so again by
// itself after Odoo refused the login or went away, for it may come back with another password or as a newer version.
//
// # What is certain after a failure
//
// Every error is an *Error, and its Outcome answers the one question that matters after a write:
//
//   - Rejected: Odoo refused and rolled back. Reason says whether it was a rule of the business, whose words are in
//     Message, or a missing permission. Repeating it is pointless.
//   - NotSent: nothing reached Odoo's code. The connection was refused, the circuit breaker was open, the login failed,
//     the time was over.
//   - Unknown: it may have taken effect, or may yet. Repeat it until the outcome is certain.
//
// Repeating is safe for PlaceOrders and EnsurePartners: they create what is absent and return what exists, by external id,
// and change nothing that exists. ir.model.data holds external ids for all models under one name: two records of
// different kinds must never share one (Odoo 14 answers with the id of the wrong record, Odoo 19 refuses). Deleting a
// record deletes its external id too, so that a late repetition would create it again: whoever calls must remember what
// it has placed.
//
// # Batches
//
// PlaceOrders and EnsurePartners send many records in one call, which Odoo carries out as a whole or not at all. Each record
// gets a result of its own nevertheless. Records that Odoo names as faulty are rejected and the others go again; if it
// refuses or breaks without naming one, the batch is halved until the one to blame is alone. An answer that was lost on
// the way is asked for once more at once, as far as a retry budget allows. A record that was ever in a call whose end is
// not known ends with an ID or stays Unknown, whatever a later call says of it: the earlier one may still be running.
//
// # Limits
//
// A call ends after Config.CallTimeout or with its context, whichever comes first. At most Config.MaxConnections calls
// are in flight, further ones wait. An answer is bounded in bytes, after decompression, and in depth while it is
// read. A circuit breaker stops calls while Odoo is in trouble: connections fail, answers take too long, are HTTP
// 5xx or cannot be read. What Odoo refuses in good order does not count.
//
// # Values
//
// Money and quantities are exact decimals, made of the shortest spelling of Odoo's floats, and rounded to six decimals.
// Times are UTC; Odoo gives them in whole seconds, and write_date is the start of the transaction that wrote. Notes are
// plain text, whatever the version of Odoo makes of them. Texts that XML cannot carry unchanged are refused, never sent
// altered; what Odoo answers is read without the characters that XML does not know. All of this over either protocol.
package odoo
