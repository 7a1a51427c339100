package lifecycle

import (
	"context"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/jomctl/jomctl/images"
	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/provision"
)

// ImageLogin is the account of the cluster's registry; the zero one where it asks for none.
func ImageLogin(c *config.Cluster) (images.Login, error) {
	user, password, err := c.RegistryLogin()
	if err != nil || user == "" {
		return images.Login{}, err
	}
	return images.Login{Registry: provision.RegistryAddress(c), User: user, Password: password}, nil
}

// loginFor says whether an image is in the registry that the file has an account for.
func (e *Env) loginFor(image string) bool {
	r := e.Cluster.Registry
	return r != nil && r.User != "" && strings.HasPrefix(image, provision.RegistryAddress(e.Cluster)+"/")
}

// registryKeys are the accounts by which this machine asks registries: that of the file for its registry, and for others those of Docker.
type registryKeys struct{ login images.Login }

// Resolve implements authn.Keychain.
func (k registryKeys) Resolve(of authn.Resource) (authn.Authenticator, error) {
	if k.login.User != "" && of.RegistryStr() == k.login.Registry {
		return &authn.Basic{Username: k.login.User, Password: k.login.Password}, nil
	}
	return authn.DefaultKeychain.Resolve(of)
}

func (e *Env) askRegistry(ctx context.Context) []remote.Option {
	login, _ := ImageLogin(e.Cluster) // without the password the registry says that it wants one
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(registryKeys{login}), remote.WithUserAgent("jomctl")}
}
