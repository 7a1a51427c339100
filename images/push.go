package images

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Push sends an image to a registry and gives its reference there with its digest. A Docker Engine sends to a registry without TLS only where
// it was told to, or where it is on a loopback address: so such a one is given to it on a loopback address of this machine.
func (d Docker) Push(ctx context.Context, ref, registry string, login Login) (string, error) {
	registry = strings.TrimSuffix(registry, "/")
	if login.User != "" { // which never goes without TLS
		return d.pushAs(ctx, ref, registry, login)
	}
	host, path, _ := strings.Cut(registry, "/")
	if path != "" {
		path = "/" + path
	}
	if !isLoopback(host) && plainHTTP(ctx, host) {
		relay, err := newRelay(host)
		if err != nil {
			return "", err
		}
		defer relay.close()
		digest, err := d.push(ctx, ref, relay.address+path)
		if err == nil {
			return registry + strings.TrimPrefix(digest, relay.address+path), nil
		}
		if relay.requests.Load() > 0 || ctx.Err() != nil {
			return "", explain(err, registry)
		}
		// The engine is on another machine, with loopback addresses of its own.
	}
	digest, err := d.push(ctx, ref, registry)
	if err != nil {
		return "", explain(err, registry)
	}
	return digest, nil
}

// push sends an image by what docker has besides: args come before the command.
func (d Docker) push(ctx context.Context, ref, registry string, args ...string) (string, error) {
	there := registry + "/" + ref
	if _, err := d.run(ctx, "tag", ref, there); err != nil {
		return "", err
	}
	if err := d.talk(ctx, nil, append(args, "push", there)...); err != nil {
		return "", err
	}
	out, err := d.run(ctx, "image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", there)
	if err != nil {
		return "", err
	}
	name := there[:strings.LastIndex(there, ":")]
	for _, digest := range strings.Fields(out) {
		if strings.HasPrefix(digest, name+"@") {
			return digest, nil
		}
	}
	return "", fmt.Errorf("push %s: the registry gave no digest", there)
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// plainHTTP says whether a registry speaks HTTP without TLS.
func plainHTTP(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/v2/", nil)
	if err != nil {
		return false
	}
	// One that leads elsewhere, as to its own HTTPS, is none.
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = answer.Body.Close() // nothing is read
	return answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusUnauthorized
}

// relay is a registry on a loopback address of this machine.
type relay struct {
	address  string
	requests atomic.Int64
	server   *http.Server
}

// newRelay listens on the same port for the same registry whenever it is free: the engine remembers what it has sent by that name.
func newRelay(registry string) (*relay, error) {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(registry)) // a hash takes everything
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+int(sum.Sum32()%10000))))
	if err != nil {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("give the registry %s to the Docker Engine of this machine: %w", registry, err)
		}
	}
	r := &relay{address: listener.Addr().String()}
	target := &url.URL{Scheme: "http", Host: registry}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) {
		r.requests.Add(1)
		p.SetURL(target)
		p.Out.Host = p.In.Host // by which the registry names the places that uploads go to
	}}
	r.server = &http.Server{Handler: proxy, ReadHeaderTimeout: time.Minute}
	go func() { _ = r.server.Serve(listener) }() // ends with close
	return r, nil
}

func (r *relay) close() { _ = r.server.Close() }
