package terraform

import (
	"context"
	"errors"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"

	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-exec/tfexec"
)

const (
	// oldest is the first Terraform that the modules work with.
	oldest = "1.5.0"
	// Pinned is the version that an Offer installs and that the ways out name: the last one under the Mozilla licence.
	Pinned = "1.5.7"
)

// ProgramError says that there is no usable Terraform.
type ProgramError struct {
	Reason string
	// Named says that the user has named the program, so that no other one is looked for.
	Named bool
}

func (e *ProgramError) Error() string { return e.Reason }

// Hint says how to get one.
func (e *ProgramError) Hint() string {
	return fmt.Sprintf("say --install-terraform (with install and destroy), which downloads Terraform %s and verifies it; or install Terraform %s or newer from your distribution or HashiCorp, or build it: "+
		"go install github.com/hashicorp/terraform@v%s (about four minutes; it is found in Go's bin folder too)", Pinned, oldest, Pinned)
}

// find returns the absolute path of a Terraform that is new enough: the given one, the one on PATH, the one in Go's bin folder, or
// the one that an Offer has installed.
func find(ctx context.Context, given string) (string, error) {
	candidates := []string{given}
	if given == "" {
		candidates = []string{"terraform", filepath.Join(goBin(), "terraform")}
		if offer, err := NewOffer(); err == nil {
			candidates = append(candidates, offer.Path)
		}
	}
	problem := &ProgramError{Reason: "there is no terraform on PATH"}
	if given != "" {
		problem = &ProgramError{Reason: fmt.Sprintf("there is no terraform at %s", given), Named: true}
	}
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			continue
		}
		if path, err = filepath.Abs(path); err != nil {
			return "", err
		}
		if err := usable(ctx, path); err == nil {
			return path, nil
		} else if cancelled(err) {
			return "", err
		} else {
			problem = &ProgramError{Reason: err.Error(), Named: given != ""}
		}
	}
	return "", problem
}

func goBin() string {
	if bin := os.Getenv("GOBIN"); bin != "" {
		return bin
	}
	list := filepath.SplitList(build.Default.GOPATH)
	if len(list) == 0 {
		return ""
	}
	return filepath.Join(list[0], "bin")
}

func usable(ctx context.Context, path string) error {
	tf, err := tfexec.NewTerraform(os.TempDir(), path)
	if err != nil {
		return err
	}
	have, _, err := tf.Version(ctx, true)
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", path, err)
	}
	if have.Core().LessThan(goversion.Must(goversion.NewVersion(oldest))) {
		return fmt.Errorf("%s is Terraform %s, and %s or newer is needed", path, have, oldest)
	}
	return nil
}
