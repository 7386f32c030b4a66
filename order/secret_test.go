package order_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"ordergate/order"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	secret, prefix, hash, err := order.NewSecret(bytes.NewReader(bytes.Repeat([]byte{0xfb}, 32)))
	require.NoError(t, err)
	require.Equal(t, "og_-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s", secret)
	require.Equal(t, "og_-_v7-_", prefix)
	require.Equal(t, order.HashSecret(secret), hash)
	require.Len(t, hash, 64)
	_, _, _, err = order.NewSecret(bytes.NewReader(make([]byte, 31)))
	require.Error(t, err, "a short read must not make a weak secret")
}
