// Package uctest makes signed update centers for tests, with a root certificate of their own.
package uctest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Signer is a root and a certificate that it has issued.
type Signer struct {
	// Root is the root certificate in PEM.
	Root []byte
	leaf []byte
	key  *rsa.PrivateKey
}

// NewSigner makes the keys, and certificates that are valid in the year of the time.
func NewSigner(t testing.TB, at time.Time) Signer {
	t.Helper()
	make := func(name string, ca bool, parent *x509.Certificate, by *rsa.PrivateKey) ([]byte, *x509.Certificate, *rsa.PrivateKey) {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		require.NoError(t, err)
		certificate := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
			NotBefore: time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(at.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC)}
		if parent == nil {
			parent, by = certificate, key
		}
		der, err := x509.CreateCertificate(rand.Reader, certificate, parent, &key.PublicKey, by)
		require.NoError(t, err)
		return der, certificate, key
	}
	rootDER, root, rootKey := make("a root for tests", true, nil, nil)
	leaf, _, key := make("a signer for tests", false, root, rootKey)
	return Signer{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), leaf, key}
}

// Object is JSON.
type Object = map[string]any

// Plugin is a plugin of an update center whose file is the text file. Each dependency is NAME VERSION, with a question mark
// behind it where it is optional.
func Plugin(name, version, core, file string, dependencies ...string) Object {
	list := []any{}
	for _, text := range dependencies {
		needed, optional := strings.CutSuffix(text, "?")
		of, least, _ := strings.Cut(needed, " ")
		list = append(list, Object{"name": of, "version": least, "optional": optional})
	}
	return Object{"name": name, "version": version, "requiredCore": core, "sha256": Sum([]byte(file)), "size": len(file), "dependencies": list,
		"url": "https://updates.jenkins.io/download/plugins/" + name + "/" + version + "/" + name + ".hpi"}
}

// Sum is a SHA-256 as update centers write it.
func Sum(data []byte) string {
	hash := crypto.SHA256.New()
	hash.Write(data)
	return base64.StdEncoding.EncodeToString(hash.Sum(nil))
}

// Center is an update center that is not signed yet, with core 2.568.
func Center(at time.Time, plugins ...Object) Object {
	all := Object{}
	for _, plugin := range plugins {
		all[plugin["name"].(string)] = plugin
	}
	return Object{"id": "default", "generationTimestamp": at.UTC().Format(time.RFC3339), "connectionCheckUrl": "https://www.google.com/", "updateCenterVersion": 1,
		"core": Object{"name": "core", "version": "2.568", "sha256": Sum([]byte("a war")), "size": 5,
			"url": "https://updates.jenkins.io/download/war/2.568/jenkins.war"},
		"plugins": all, "warnings": []any{}, "deprecations": Object{}}
}

// Warn adds a security warning about a plugin, or core.
func Warn(center Object, id, name, pattern string) {
	kind := "plugin"
	if name == "core" {
		kind = "core"
	}
	center["warnings"] = append(center["warnings"].([]any), Object{"id": id, "type": kind, "name": name, "message": "trouble in " + name,
		"url": "https://www.jenkins.io/security/" + id, "versions": []any{Object{"lastVersion": "x", "pattern": pattern}}})
}

// Sign returns the file, in the call that it is served in.
func (s Signer) Sign(t testing.TB, center Object) []byte {
	t.Helper()
	var canonical bytes.Buffer
	encoder := json.NewEncoder(&canonical) // sorts keys; the tests have no letters that it writes in another way
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(center))
	digest := sha512.Sum512(bytes.TrimSpace(canonical.Bytes()))
	sign, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA512, digest[:])
	require.NoError(t, err)
	signed := Object{"signature": Object{"certificates": []any{base64.StdEncoding.EncodeToString(s.leaf)},
		"correct_digest512": hex.EncodeToString(digest[:]), "correct_signature512": hex.EncodeToString(sign)}}
	for key, value := range center {
		signed[key] = value
	}
	data, err := json.Marshal(signed)
	require.NoError(t, err)
	return append(append([]byte("updateCenter.post(\n"), data...), "\n);\n"...)
}
