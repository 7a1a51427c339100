package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
)

const (
	// vendor is where HashiCorp has its releases.
	vendor = "https://releases.hashicorp.com"
	// installTimeout is for 20 MB over a slow line.
	installTimeout = 15 * time.Minute
)

// Offer is a Terraform that can be downloaded from HashiCorp for the user of this machine. Nothing accepts it by itself.
type Offer struct {
	Version string
	// URL is what is downloaded, Path where the program goes.
	URL, Path string
	// base and key are HashiCorp's where they are empty.
	base, key string
}

// NewOffer is Terraform Pinned, in the user's folder of caches. It fails where the user has none.
func NewOffer() (Offer, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Offer{}, fmt.Errorf("find a folder for Terraform: %w", err)
	}
	return Offer{Version: Pinned, Path: filepath.Join(cache, "jomctl", "terraform-"+Pinned, "terraform"),
		URL: fmt.Sprintf("%s/terraform/%s/terraform_%s_%s_%s.zip", vendor, Pinned, Pinned, runtime.GOOS, runtime.GOARCH)}, nil
}

// Install downloads the program, refuses what HashiCorp has not signed or what has another checksum, and puts it into its place as a
// whole or not at all. It replaces what is there.
func (o Offer) Install(ctx context.Context) error {
	dir := filepath.Dir(o.Path)
	err := os.MkdirAll(filepath.Dir(dir), 0o700)
	var fresh string
	if err == nil {
		fresh, err = os.MkdirTemp(filepath.Dir(dir), ".terraform-*")
	}
	if err != nil {
		return fmt.Errorf("make a folder for Terraform: %w", err)
	}
	defer os.RemoveAll(fresh)
	path, err := (&releases.ExactVersion{Product: product.Terraform, Version: goversion.Must(goversion.NewVersion(o.Version)), InstallDir: fresh,
		Timeout: installTimeout, ApiBaseURL: o.base, ArmoredPublicKey: o.key}).Install(ctx)
	if errors.Is(err, fs.ErrNotExist) { // hc-install 0.10 loses the error of a wrong checksum, and then misses the program
		err = errors.New("what came is not what its signed checksum says, or not the whole of it")
	}
	if err == nil {
		err = usable(ctx, path)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.Rename(path, o.Path)
	}
	if err != nil {
		return fmt.Errorf("install Terraform %s from %s: %w", o.Version, o.URL, err)
	}
	return nil
}
