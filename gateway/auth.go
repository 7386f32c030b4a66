package gateway

import (
	"context"
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"ordergate/order"
)

// maxSecretLength bounds what is hashed for a sender who is not known yet.
const maxSecretLength = 256

// authenticate finds out who calls. Keys are looked up on every request and never cached: a revoked one stops working
// at once.
func authenticate(keys Keys, services map[int64]Service, timeout time.Duration, problems *problems) gin.HandlerFunc {
	return func(c *gin.Context) {
		secret, err := bearer(c.Request.Header["Authorization"])
		if err != nil {
			c.Header("WWW-Authenticate", `Bearer realm="ordergate"`)
			problems.write(c, err)
			return
		}
		key, failed := lookUp(c.Request.Context(), keys, secret, timeout)
		if failed != nil {
			if order.IsKind(failed, order.Unauthenticated) {
				c.Header("WWW-Authenticate", `Bearer realm="ordergate", error="invalid_token"`)
			}
			problems.write(c, failed)
			return
		}

		call := callOf(c)
		call.caller = order.Caller{
			TenantID: key.TenantID, KeyID: key.ID, Name: key.Name,
			Role: key.Role, Source: key.Source, ERPPartnerID: key.ERPPartnerID, Module: key.Module,
		}
		call.service = services[key.TenantID]
		if call.service == nil {
			problems.write(c, order.Errorf(order.Forbidden, "tenant_unknown", "This gateway does not serve the key's tenant."))
		}
	}
}

// bearer takes the secret out of the Authorization header, which must be there once.
func bearer(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", order.Errorf(order.Unauthenticated, "credentials_missing", "Send an API key: Authorization: Bearer %s…", order.SecretPrefix)
	}
	scheme, secret, _ := strings.Cut(headers[0], " ")
	secret = strings.TrimLeft(secret, " ")
	if len(headers) > 1 || !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return "", order.Errorf(order.Unauthenticated, "credentials_missing", "Send one API key: Authorization: Bearer %s…", order.SecretPrefix)
	}
	return secret, nil
}

func lookUp(ctx context.Context, keys Keys, secret string, timeout time.Duration) (order.APIKey, error) {
	unknown := order.Errorf(order.Unauthenticated, "credentials_invalid", "This API key is not known.")
	if !strings.HasPrefix(secret, order.SecretPrefix) || len(secret) > maxSecretLength {
		return order.APIKey{}, unknown
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	hash := order.HashSecret(secret)
	key, err := keys.KeyByHash(ctx, hash)
	switch {
	case order.IsKind(err, order.NotFound):
		return order.APIKey{}, unknown
	case err != nil:
		return order.APIKey{}, order.Errorf(order.Unavailable, "database_unavailable",
			"The gateway's database cannot be reached. Nothing was accepted; try again.").RetryIn(5 * time.Second).Because(err)
	// A database that compares text loosely may return a key whose hash is only similar.
	case subtle.ConstantTimeCompare([]byte(key.Hash), []byte(hash)) != 1:
		return order.APIKey{}, unknown
	case !key.RevokedAt.IsZero():
		return order.APIKey{}, order.Errorf(order.Unauthenticated, "credentials_revoked", "This API key was revoked.")
	}
	return key, nil
}

// permit refuses callers whose role the operation is not for.
func permit(roles []order.Role, problems *problems) gin.HandlerFunc {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = string(role)
	}
	allowed := strings.Join(names, " or ")
	return func(c *gin.Context) {
		role := callOf(c).caller.Role
		if !slices.Contains(roles, role) {
			problems.write(c, order.Errorf(order.Forbidden, "role_forbidden",
				"Keys of role %s may not do this; it takes %s.", role, allowed))
		}
	}
}
