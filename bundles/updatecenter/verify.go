package updatecenter

import (
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"time"
)

// jenkinsRoot issues the certificates that the Jenkins project signs its update centers with; valid until 2028-04-05.
//
//go:embed jenkins-update-center-root-ca-2.pem
var jenkinsRoot []byte

// maxSize bounds what a packed file may grow to; the real ones have 3.4 MB.
const maxSize = 64 << 20

// Trust says whom a file is believed.
type Trust struct {
	// Roots are PEM certificates that are trusted besides the Jenkins project's own.
	Roots [][]byte
	// Mirrors are the beginnings of addresses that a mirror may have put into a file of the Jenkins project.
	Mirrors []string
	// Now is the time; the zero time means now. No file may be from the future.
	Now time.Time
	// Live is set for a file that was fetched from a server just now: its certificate must be valid now. Others are judged by the
	// time at which they say they were made, as a kept file would fail when its certificate's year is over.
	Live bool
}

// Provenance is what was verified about a file.
type Provenance struct {
	// Digest is the SHA-512 of the signed content, in hex digits.
	Digest string
	// Signer and Root are the names of the certificate that signed and of the one that vouches for it.
	Signer, Root string
	// Judged is the time at which the certificates had to be valid.
	Judged time.Time
	// OwnTime is set where that is what the file itself says.
	OwnTime bool
	// Mirror is the trusted mirror whose addresses the file has.
	Mirror string
}

// UntrustedError is a file that must not be used.
type UntrustedError struct{ Problem, Fix string }

// Error is the problem.
func (e *UntrustedError) Error() string { return e.Problem }

// Hint is the fix.
func (e *UntrustedError) Hint() string { return e.Fix }

// ExitCode is that of a refusal.
func (e *UntrustedError) ExitCode() int { return 3 }

type signature struct {
	certificates []string
	digest, sign []byte
}

// Read verifies an update-center file, as JSON or in its usual call, packed with gzip or not. An error of what the file is, and not of
// how it is written, is an *UntrustedError.
func Read(data []byte, trust Trust) (*Center, error) {
	data, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("reading the update center: %w", err)
	}
	object, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the update center: %w", err)
	}
	sig, err := signatureOf(object)
	if err != nil {
		return nil, err
	}
	delete(object, "signature")
	return sig.verified(object, trust)
}

func unpack(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		packed, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		if data, err = io.ReadAll(io.LimitReader(packed, maxSize)); err != nil {
			return nil, err
		}
	}
	return unwrap(data)
}

func signatureOf(object map[string]any) (signature, error) {
	var s signature
	given, _ := object["signature"].(map[string]any)
	list, _ := given["certificates"].([]any)
	for _, one := range list {
		text, _ := one.(string)
		s.certificates = append(s.certificates, text)
	}
	digest, _ := given["correct_digest512"].(string)
	sign, _ := given["correct_signature512"].(string)
	if len(s.certificates) == 0 || digest == "" || sign == "" {
		return s, &UntrustedError{"the update center is not signed (no certificates, correct_digest512 and correct_signature512; the old SHA-1 signature proves nothing)",
			"take the file as the Jenkins project publishes it: https://updates.jenkins.io/update-center.json"}
	}
	var err error
	if s.digest, err = hex.DecodeString(digest); err == nil {
		s.sign, err = hex.DecodeString(sign)
	}
	if err != nil {
		return s, fmt.Errorf("reading the signature of the update center: %w", err)
	}
	return s, nil
}

// verified compares content and signature. What is decoded is exactly what was signed.
func (s signature) verified(object map[string]any, trust Trust) (*Center, error) {
	signed, digest, err := digestOf(object)
	if err != nil {
		return nil, err
	}
	mirror, rewritten := "", map[string]string(nil)
	if !bytes.Equal(digest, s.digest) {
		if signed, mirror, rewritten, err = s.withoutMirror(object, trust); err != nil {
			return nil, err
		}
	}
	center, err := decode(signed)
	if err != nil {
		return nil, err
	}
	center.Provenance, err = s.chain(center.Generated, trust)
	if err != nil {
		return nil, err
	}
	center.Provenance.Mirror = mirror
	center.rewrite(rewritten)
	return center, nil
}

func digestOf(object map[string]any) (text, digest []byte, err error) {
	var out bytes.Buffer
	if err := canonical(&out, object); err != nil {
		return nil, nil, err
	}
	sum := sha512.Sum512(out.Bytes())
	return out.Bytes(), sum[:], nil
}

// chain verifies who signed, and when that was.
func (s signature) chain(generated time.Time, trust Trust) (Provenance, error) {
	p := Provenance{Digest: hex.EncodeToString(s.digest)}
	leaf, between, err := certificatesOf(s.certificates)
	if err != nil {
		return p, err
	}
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || rsa.VerifyPKCS1v15(key, crypto.SHA512, s.digest, s.sign) != nil {
		return p, &UntrustedError{"the signature of the update center is not that of the certificate in it: the file was changed", "fetch it again, or from somewhere else"}
	}
	now := trust.Now
	if now.IsZero() {
		now = time.Now()
	}
	if generated.After(now.Add(24 * time.Hour)) {
		return p, &UntrustedError{fmt.Sprintf("the update center says that it was made on %s, which is in the future", generated.Format(time.DateOnly)), "look at the clock of this machine"}
	}
	p.Judged, p.OwnTime = now, !trust.Live
	if p.OwnTime {
		p.Judged = generated
	}
	roots, err := trust.pool()
	if err != nil {
		return p, err
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: p.Judged, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return p, untrustedCertificate(leaf, p.Judged, err)
	}
	root := chains[0][len(chains[0])-1].Subject
	p.Signer, p.Root = leaf.Subject.String(), pkix.Name{CommonName: root.CommonName, Organization: root.Organization}.String()
	return p, nil
}

func untrustedCertificate(leaf *x509.Certificate, at time.Time, cause error) error {
	var invalid x509.CertificateInvalidError
	if errors.As(cause, &invalid) && invalid.Reason == x509.Expired {
		return &UntrustedError{fmt.Sprintf("the update center is signed with a certificate that is valid from %s to %s, and not on %s", leaf.NotBefore.Format(time.DateOnly),
			leaf.NotAfter.Format(time.DateOnly), at.Format(time.DateOnly)), "look at the clock of this machine, or give a kept file by its path: it is judged by its own time"}
	}
	return &UntrustedError{fmt.Sprintf("the update center is signed by %q, whom the Jenkins project does not vouch for (%v): it is a mirror that signs by itself, or a forgery",
		leaf.Subject, cause), "take https://updates.jenkins.io/update-center.json, or name the mirror's own root certificate with --trust-root, if you trust it with every plugin"}
}

func certificatesOf(list []string) (leaf *x509.Certificate, between *x509.CertPool, err error) {
	between = x509.NewCertPool()
	for i, text := range list {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, nil, fmt.Errorf("reading certificate %d of the update center: %w", i+1, err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, fmt.Errorf("reading certificate %d of the update center: %w", i+1, err)
		}
		if i == 0 {
			leaf = certificate
			continue
		}
		between.AddCert(certificate)
	}
	return leaf, between, nil
}

// pool is the Jenkins project's root with those that the user trusts.
func (t Trust) pool() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for _, text := range append([][]byte{jenkinsRoot}, t.Roots...) {
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, errors.New("reading a trusted root: not a certificate in PEM")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading a trusted root: %w", err)
		}
		pool.AddCert(certificate)
	}
	return pool, nil
}
