package agent

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Secret is a node's secret: the HMAC of its name, in hex.
func Secret(key []byte, name string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil))
}

// Encrypt hides a descriptor with a node's secret as Jenkins does for `?encrypt=true`: AES-128 in CFB8, the vector in front.
func Encrypt(secret string, plain []byte) ([]byte, error) {
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv)
	out, err := cfb8(secret, iv, plain, false)
	return append(iv, out...), err
}

// Decrypt is the reverse of Encrypt. A wrong secret gives rubbish, not an error.
func Decrypt(secret string, data []byte) ([]byte, error) {
	if len(data) < aes.BlockSize {
		return nil, errors.New("decrypt: too short")
	}
	return cfb8(secret, data[:aes.BlockSize], data[aes.BlockSize:], true)
}

func cfb8(secret string, iv, in []byte, decrypt bool) ([]byte, error) {
	key, err := hex.DecodeString(secret)
	if err != nil || len(key) < 16 {
		return nil, fmt.Errorf("agent secret is not 32 or more hex digits")
	}
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		return nil, fmt.Errorf("agent secret: %w", err)
	}
	register := append([]byte(nil), iv...)
	mask := make([]byte, aes.BlockSize)
	out := make([]byte, len(in))
	for i, b := range in {
		block.Encrypt(mask, register)
		out[i] = b ^ mask[0]
		fed := out[i]
		if decrypt {
			fed = b
		}
		register = append(register[1:], fed)
	}
	return out, nil
}
