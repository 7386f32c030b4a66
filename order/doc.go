// Package order is the domain of Ordergate: orders, intents, customers, products, callers and the errors that
// every layer speaks. It imports nothing of the project, and knows neither HTTP, nor SQL, nor XML-RPC.
//
// The words are those of the trade: an order and its lines are Odoo's sale.order and sale.order.line, a customer is
// an Odoo partner as a portal knows it, a source is the system an order comes from, a key is the caller's
// idempotency key, and an intent is the durable record of one wish to place an order.
package order
