package order

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
)

// SecretPrefix begins the secret of every API key, so that people and secret scanners recognise a leaked one.
const SecretPrefix = "og_"

const (
	secretBytes  = 32
	prefixLength = len(SecretPrefix) + 6
)

// NewSecret makes the secret of an API key from 32 bytes of random: "og_" and 43 characters of base64url. Prefix is its
// beginning, to tell keys apart; hash is what is stored. Only the caller ever holds the secret.
func NewSecret(random io.Reader) (secret, prefix, hash string, err error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", "", "", fmt.Errorf("order: making a secret: %w", err)
	}
	secret = SecretPrefix + base64.RawURLEncoding.EncodeToString(raw)
	return secret, secret[:prefixLength], HashSecret(secret), nil
}

// HashSecret is the hexadecimal SHA-256 of a secret. Secrets are random and long: a slower hash would add nothing.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
