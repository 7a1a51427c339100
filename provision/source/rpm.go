package source

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	rpmutils "github.com/sassoftware/go-rpmutils"
)

// payloadDigest is the tag of a header that has the checksum of the files. Without it a signature of the header says nothing about them.
const payloadDigest = 5092

// rpmSigner is the key that signed a package, nil where nobody did. A signature that does not count is a *SignatureError.
func rpmSigner(file string, keys keyring, now time.Time) (*openpgp.Entity, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	header, signatures, err := rpmutils.Verify(bufio.NewReaderSize(f, 1<<20), keys.keys)
	var unknown rpmutils.KeyNotFoundError
	switch {
	case errors.As(err, &unknown):
		return nil, &SignatureError{cause: err, Problem: fmt.Sprintf("is signed by key %016X, but the key here is %s", unknown.KeyID, spaced(strings.Join(keys.fingerprints(), ", ")))}
	case err != nil:
		return nil, &SignatureError{cause: err, Problem: "the package's signature or checksum is wrong, or of a kind that jomctl cannot read: " + err.Error()}
	}
	for _, s := range signatures {
		if s.Signer == nil || s.HeaderOnly && !header.HasTag(payloadDigest) {
			continue
		}
		if end, ok := expiry(s.Signer); ok && now.After(end) {
			return s.Signer, &SignatureError{Expired: true, Problem: fmt.Sprintf("key %s, which signed the package, has expired on %s (today is %s)",
				spaced(fingerprintOf(s.Signer)), day(end), day(now))}
		}
		return s.Signer, nil
	}
	return nil, nil //nolint:nilnil // nobody signed it
}

// rpm looks into an RPM package.
func (c *Contents) rpm(r io.Reader) error {
	in, err := rpmutils.ReadRpm(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return err
	}
	name, err := in.Header.GetNEVRA()
	if err != nil {
		return err
	}
	c.Package, c.Version, c.Arch = name.Name, rpmVersion(name.Epoch, name.Version, name.Release), DebianArch(name.Arch)
	payload, err := in.PayloadReaderExtended()
	if err != nil {
		return err
	}
	for {
		file, err := payload.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if file.Mode()&0o170000 == 0o040000 { // a folder
			continue
		}
		var content io.Reader = payload
		if payload.IsLink() || file.Linkname() != "" {
			content = strings.NewReader("")
		}
		if err := c.visit(path.Clean("/" + file.Name())[1:], content); err != nil {
			return err
		}
	}
}
