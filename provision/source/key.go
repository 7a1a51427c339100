package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// keyring is one file of OpenPGP keys.
type keyring struct {
	keys openpgp.EntityList
	text []byte
}

// readKeys reads keys, armoured or not.
func readKeys(text []byte) (keyring, error) {
	read := openpgp.ReadKeyRing
	if bytes.Contains(text, []byte("-----BEGIN PGP")) {
		read = openpgp.ReadArmoredKeyRing
	}
	keys, err := read(bytes.NewReader(text))
	if err != nil {
		return keyring{}, fmt.Errorf("read the OpenPGP key: %w", err)
	}
	if len(keys) == 0 {
		return keyring{}, errors.New("read the OpenPGP key: there is none in the file")
	}
	return keyring{keys, text}, nil
}

// armoured is the file as apt wants it under a name that ends in .asc.
func (k keyring) armoured() ([]byte, error) {
	if bytes.Contains(k.text, []byte("-----BEGIN PGP")) {
		return k.text, nil
	}
	var out bytes.Buffer
	w, err := armor.Encode(&out, openpgp.PublicKeyType, nil)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(k.text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// fingerprints are those of the primary keys.
func (k keyring) fingerprints() []string {
	var all []string
	for _, key := range k.keys {
		all = append(all, fingerprintOf(key))
	}
	return all
}

func fingerprintOf(key *openpgp.Entity) string {
	return fmt.Sprintf("%X", key.PrimaryKey.Fingerprint)
}

// spaced is a fingerprint as people compare it.
func spaced(fingerprint string) string {
	var parts []string
	for len(fingerprint) > 4 {
		parts, fingerprint = append(parts, fingerprint[:4]), fingerprint[4:]
	}
	return strings.Join(append(parts, fingerprint), " ")
}

// expiry is when a key ends; false when it does not.
func expiry(key *openpgp.Entity) (time.Time, bool) {
	identity := key.PrimaryIdentity()
	if identity == nil || identity.SelfSignature == nil || identity.SelfSignature.KeyLifetimeSecs == nil || *identity.SelfSignature.KeyLifetimeSecs == 0 {
		return time.Time{}, false
	}
	return key.PrimaryKey.CreationTime.Add(time.Duration(*identity.SelfSignature.KeyLifetimeSecs) * time.Second), true
}

// SignatureError says why a signature does not count.
type SignatureError struct {
	// Problem is for people, with fingerprints and dates.
	Problem string
	// Expired says that the signature is good but for the end of its key.
	Expired bool
	cause   error
}

// Error is the problem.
func (e *SignatureError) Error() string { return e.Problem }

// Unwrap is what the OpenPGP library said.
func (e *SignatureError) Unwrap() error { return e.cause }

// verifyInline reads a text that is signed within itself (InRelease).
func (k keyring) verifyInline(signed []byte, now time.Time) (text []byte, signer *openpgp.Entity, err error) {
	block, rest := clearsign.Decode(signed)
	if block == nil {
		return nil, nil, &SignatureError{Problem: "the file is not signed at all (there is no OpenPGP signature in it)"}
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, nil, &SignatureError{Problem: "there is text after the signature, which nobody signed"}
	}
	body, err := io.ReadAll(block.ArmoredSignature.Body)
	if err != nil {
		return nil, nil, &SignatureError{Problem: "the signature cannot be read: " + err.Error(), cause: err}
	}
	signer, err = k.verify(block.Bytes, body, now)
	return block.Plaintext, signer, err
}

// verifyDetached checks a signature in a file of its own (Release.gpg), armoured or not.
func (k keyring) verifyDetached(text, signature []byte, now time.Time) (*openpgp.Entity, error) {
	if block, err := armor.Decode(bytes.NewReader(signature)); err == nil {
		if signature, err = io.ReadAll(block.Body); err != nil {
			return nil, &SignatureError{Problem: "the signature cannot be read: " + err.Error(), cause: err}
		}
	}
	return k.verify(text, signature, now)
}

func (k keyring) verify(text, signature []byte, now time.Time) (*openpgp.Entity, error) {
	config := &packet.Config{Time: func() time.Time { return now }}
	signer, err := openpgp.CheckDetachedSignature(k.keys, bytes.NewReader(text), bytes.NewReader(signature), config)
	if err == nil {
		return signer, nil
	}
	return signer, k.explain(signer, signature, err, now)
}

func (k keyring) explain(signer *openpgp.Entity, signature []byte, err error, now time.Time) error {
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return &SignatureError{cause: err, Problem: fmt.Sprintf("is signed by key %s, but the key here is %s", issuers(signature), spaced(strings.Join(k.fingerprints(), ", ")))}
	case errors.Is(err, pgperrors.ErrKeyExpired) && signer != nil:
		text := "key " + spaced(fingerprintOf(signer)) + " has expired"
		if end, ok := expiry(signer); ok {
			text += fmt.Sprintf(" on %s (today is %s)", end.UTC().Format(time.DateOnly), now.UTC().Format(time.DateOnly))
		}
		return &SignatureError{Problem: text, Expired: true, cause: err}
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return &SignatureError{Problem: "the signature itself has expired", Expired: true, cause: err}
	}
	return &SignatureError{Problem: "the signature is wrong: " + err.Error(), cause: err}
}

// issuers are the ids of the keys that made the signatures.
func issuers(signature []byte) string {
	var ids []string
	packets := packet.NewReader(bytes.NewReader(signature))
	for {
		p, err := packets.Next()
		if err != nil {
			break
		}
		if s, ok := p.(*packet.Signature); ok && s.IssuerKeyId != nil {
			ids = append(ids, fmt.Sprintf("%016X", *s.IssuerKeyId))
		}
	}
	if len(ids) == 0 {
		return "(unknown)"
	}
	return strings.Join(ids, ", ")
}
