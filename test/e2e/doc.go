// Package e2e drives the real program over HTTP: the built binary, in front of real Odoos and real databases, and the
// sandbox as a stranger starts it. Every answer is held against the OpenAPI document, and what an answer claims is
// counted in Odoo itself.
package e2e
