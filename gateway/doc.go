// Package gateway is the HTTP side of Ordergate: Gin routes, authentication, validation, limits and problem documents.
//
// The contract is openapi.yaml, which is kept by hand. From it api.gen.go is generated (the types of the bodies and a
// strict Gin server), requests are validated against it, /openapi.yaml serves it, /docs renders it, and tests hold every
// answer to it (package gatewaytest).
//
// A request passes, in this order: request id, access log and metrics, recovery from panics, the cap on requests in
// flight, authentication, the tenant's own cap, the role's permission, the rate limit of the key, the cap on the bytes of
// bodies, validation, and the handler with its deadline. What is cheap and refuses most comes first: an overloaded
// gateway refuses before it asks its database, and nothing of a body is read before its sender is known and within all
// limits.
// Handlers return errors, and problem.go alone turns them into answers.
package gateway
