package images

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jomctl/jomctl/internal/config"
)

// Login is an account of a registry. The zero one is none.
type Login struct{ Registry, User, Password string }

// pushAs sends an image with an account that docker has for this one call, in a folder of its own.
func (d Docker) pushAs(ctx context.Context, ref, registry string, login Login) (digest string, err error) {
	dir, err := os.MkdirTemp("", "jomctl-docker-")
	if err != nil {
		return "", fmt.Errorf("log in to %s: %w", login.Registry, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data, err := config.DockerConfig(login.Registry, login.User, login.Password)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("log in to %s: %w", login.Registry, err)
	}
	args := []string{"--config", dir}
	if os.Getenv("DOCKER_HOST") == "" { // contexts are in the folder that is not used
		if at, err := d.run(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"); err == nil && strings.TrimSpace(at) != "" {
			args = append(args, "--host", strings.TrimSpace(at))
		}
	}
	digest, err = d.push(ctx, ref, registry, args...)
	if err != nil {
		err = explain(err, registry)
	}
	return digest, err
}
