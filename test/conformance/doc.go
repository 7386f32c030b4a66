// Package conformance is one suite of tests for the ERP client, run against everything that claims to be an Odoo: the
// sandbox and the real servers of the oldest and the newest supported version. What the suite says of the real ones is
// what the rest of the project may rely on, and what keeps the sandbox honest.
//
// The client under test logs in as the gateway's least-privilege user. The suite arranges and checks through a
// connection of its own as the administrator, so that the client never testifies for itself. It leaves its records
// behind: the servers are shared, and each run finds its own by a tag that no other run has.
package conformance
