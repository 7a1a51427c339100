package terraform

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/stretchr/testify/require"
)

// vendorSite is HashiCorp's site with one release, signed by a key of the test.
type vendorSite struct {
	t     *testing.T
	files map[string][]byte
	key   string
	offer Offer
}

func newVendorSite(t *testing.T, program string) *vendorSite {
	v := &vendorSite{t: t, files: map[string][]byte{}}
	file := fmt.Sprintf("terraform_%s_%s_%s.zip", Pinned, runtime.GOOS, runtime.GOARCH)
	var zipped bytes.Buffer
	w := zip.NewWriter(&zipped)
	part, err := w.Create("terraform")
	require.NoError(t, err)
	_, err = part.Write([]byte(program))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	v.files[file] = zipped.Bytes()
	sums := fmt.Sprintf("%x  %s\n", sha256.Sum256(zipped.Bytes()), file)
	v.files["terraform_"+Pinned+"_SHA256SUMS"] = []byte(sums)
	signer, err := openpgp.NewEntity("tests", "", "tests@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	require.NoError(t, err)
	var signature, public bytes.Buffer
	require.NoError(t, openpgp.DetachSign(&signature, signer, bytes.NewReader([]byte(sums)), nil))
	v.files["terraform_"+Pinned+"_SHA256SUMS.sig"] = signature.Bytes()
	armored, err := armor.Encode(&public, openpgp.PublicKeyType, nil)
	require.NoError(t, err)
	require.NoError(t, signer.Serialize(armored))
	require.NoError(t, armored.Close())
	server := httptest.NewServer(http.HandlerFunc(v.serve))
	t.Cleanup(server.Close)
	index, err := json.Marshal(map[string]any{"name": "terraform", "version": Pinned, "shasums": "terraform_" + Pinned + "_SHA256SUMS",
		"shasums_signature": "terraform_" + Pinned + "_SHA256SUMS.sig", "builds": []map[string]string{{"name": "terraform", "version": Pinned,
			"os": runtime.GOOS, "arch": runtime.GOARCH, "filename": file, "url": server.URL + "/terraform/" + Pinned + "/" + file}}})
	require.NoError(t, err)
	v.files["index.json"] = index
	v.offer = Offer{Version: Pinned, URL: server.URL, Path: filepath.Join(t.TempDir(), "cache", "terraform-"+Pinned, "terraform"), base: server.URL, key: public.String()}
	return v
}

func (v *vendorSite) serve(w http.ResponseWriter, r *http.Request) {
	data, ok := v.files[path.Base(r.URL.Path)]
	if !ok || path.Dir(r.URL.Path) != "/terraform/"+Pinned {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", map[string]string{".json": "application/json", ".zip": "application/zip"}[path.Ext(r.URL.Path)])
	_, _ = w.Write(data)
}

// terraformScript answers as a Terraform of a version.
func terraformScript(version string) string {
	return fmt.Sprintf("#!/bin/sh\necho '{\"terraform_version\": \"%s\", \"platform\": \"linux_amd64\", \"provider_selections\": {}}'\n", version)
}

func TestTerraformIsInstalledFromSignedChecksums(t *testing.T) {
	v := newVendorSite(t, terraformScript(Pinned))
	require.NoError(t, v.offer.Install(t.Context()))
	require.NoError(t, usable(t.Context(), v.offer.Path))
	left, err := os.ReadDir(filepath.Dir(filepath.Dir(v.offer.Path)))
	require.NoError(t, err)
	require.Len(t, left, 1, "no folder of the download stays")
	require.NoError(t, v.offer.Install(t.Context()), "once more")
}

func TestTerraformThatCannotBeTrustedIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		program string
		spoil   func(*vendorSite)
		want    string
	}{
		"signed by another key than HashiCorp's": {terraformScript(Pinned), func(v *vendorSite) { v.offer.key = "" }, "unable to verify checksums signature"},
		"checksums changed after they were signed": {terraformScript(Pinned), func(v *vendorSite) {
			name := "terraform_" + Pinned + "_SHA256SUMS"
			v.files[name] = append(v.files[name], "0000000000000000000000000000000000000000000000000000000000000000  other.zip\n"...)
		}, "unable to verify checksums signature"},
		"another archive": {terraformScript(Pinned), func(v *vendorSite) {
			v.files[fmt.Sprintf("terraform_%s_%s_%s.zip", Pinned, runtime.GOOS, runtime.GOARCH)] = newVendorSite(t, terraformScript("1.6.0")).files["index.json"]
		}, "not what its signed checksum says"},
		"no such release":   {terraformScript(Pinned), func(v *vendorSite) { delete(v.files, "index.json") }, "404"},
		"does not run":      {"no program", func(*vendorSite) {}, "ask "},
		"too old a version": {terraformScript("1.4.0"), func(*vendorSite) {}, "is Terraform 1.4.0, and 1.5.0 or newer is needed"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVendorSite(t, test.program)
			test.spoil(v)
			err := v.offer.Install(t.Context())
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "install Terraform "+Pinned+" from "+v.offer.URL)
			require.NoFileExists(t, v.offer.Path)
		})
	}
	v := newVendorSite(t, terraformScript(Pinned))
	require.NoError(t, v.offer.Install(t.Context()))
	v.offer.key = ""
	require.Error(t, v.offer.Install(t.Context()))
	require.NoError(t, usable(t.Context(), v.offer.Path), "what was there stays")
}

func TestAnInstalledTerraformIsFound(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv("PATH", "/usr/bin/none")
	t.Setenv("GOBIN", filepath.Join(home, "none"))
	offer, err := NewOffer()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(home, "jomctl", "terraform-"+Pinned, "terraform"), offer.Path)
	require.Regexp(t, `^https://releases\.hashicorp\.com/terraform/1\.5\.7/terraform_1\.5\.7_[a-z]+_[a-z0-9]+\.zip$`, offer.URL)
	_, err = find(t.Context(), "")
	var missing *ProgramError
	require.ErrorAs(t, err, &missing)
	require.False(t, missing.Named)
	require.Contains(t, missing.Hint(), "--install-terraform")
	require.NoError(t, os.MkdirAll(filepath.Dir(offer.Path), 0o700))
	require.NoError(t, os.WriteFile(offer.Path, []byte("#!/bin/sh\necho '{\"terraform_version\": \"1.5.7\"}'\n"), 0o700))
	found, err := find(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, offer.Path, found)
	_, err = find(t.Context(), "/nonexistent/terraform")
	require.ErrorAs(t, err, &missing)
	require.True(t, missing.Named, "what the user has named is not replaced")
}
