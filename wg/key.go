package wg

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// KeyLen is the length of a Key in bytes.
const KeyLen = 32

// A Key is a private key, a public key or a preshared key. The zero Key stands for none.
type Key [KeyLen]byte

// GeneratePrivateKey returns a new private key for Curve25519 (RFC 7748 §5).
func GeneratePrivateKey() (Key, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("wg: make a key: %w", err)
	}
	k := Key(private.Bytes())
	// Other implementations show keys in this form, as the function that uses them clamps anyway.
	k[0] &= 248
	k[31] = k[31]&127 | 64
	return k, nil
}

// GenerateKey returns 32 random bytes, which make a preshared key.
func GenerateKey() (k Key, err error) {
	if _, err = rand.Read(k[:]); err != nil {
		return Key{}, fmt.Errorf("wg: make a key: %w", err)
	}
	return k, nil
}

// PublicKey returns the public key of a private key.
func (k Key) PublicKey() Key {
	private, err := ecdh.X25519().NewPrivateKey(k[:])
	if err != nil {
		panic("wg: a key of the wrong length") // which its type rules out
	}
	return Key(private.PublicKey().Bytes())
}

// ParseKey reads a key in base64, as String writes it and as wg(8) does.
func ParseKey(text string) (k Key, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != KeyLen {
		return Key{}, fmt.Errorf("wg: a key is %d bytes in base64, 44 characters", KeyLen)
	}
	return Key(b), nil
}

// String returns the key in base64. Who prints a private key shows it.
func (k Key) String() string { return base64.StdEncoding.EncodeToString(k[:]) }

// MarshalText writes the key as String does, and never fails.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a key as ParseKey does.
func (k *Key) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKey(string(text))
	return err
}

// IsZero reports whether k is the zero Key.
func (k Key) IsZero() bool { return k == Key{} }
