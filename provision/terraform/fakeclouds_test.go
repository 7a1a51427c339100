package terraform

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const ec2Namespace = `xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"`

// ec2 answers the questions of the module's data sources as EC2 does, and everything else with an error.
func ec2() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch action := r.Form.Get("Action"); action {
		case "DescribeAvailabilityZones":
			zone := func(name string) string {
				return "<item><zoneName>" + name + "</zoneName><zoneState>available</zoneState><regionName>eu-central-1</regionName><zoneType>availability-zone</zoneType></item>"
			}
			fmt.Fprintf(w, "<DescribeAvailabilityZonesResponse %s><availabilityZoneInfo>%s%s</availabilityZoneInfo></DescribeAvailabilityZonesResponse>",
				ec2Namespace, zone("eu-central-1a"), zone("eu-central-1b"))
		case "DescribeImages":
			image := func(id, created string) string {
				return "<item><imageId>" + id + "</imageId><imageState>available</imageState><imageOwnerId>" + r.Form.Get("Owner.1") + "</imageOwnerId><name>debian-12-amd64-" + created +
					"</name><creationDate>" + created + "T00:00:00.000Z</creationDate><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType></item>"
			}
			fmt.Fprintf(w, "<DescribeImagesResponse %s><imagesSet>%s%s</imagesSet></DescribeImagesResponse>",
				ec2Namespace, image("ami-0older", "2025-01-13"), image("ami-0debian12", "2026-03-16"))
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "<Response><Errors><Error><Code>InvalidAction</Code><Message>no %s here</Message></Error></Errors></Response>", action)
		}
	})
}

// fakeOpenStack is a Keystone that lets everybody in, with one image and one external network.
type fakeOpenStack struct {
	server *httptest.Server

	mu     sync.Mutex
	writes []string
}

func newFakeOpenStack(t *testing.T) *fakeOpenStack {
	f := &fakeOpenStack{}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeOpenStack) override() string {
	return `
provider "openstack" {
  auth_url    = "` + f.server.URL + `/v3"
  region      = "one"
  user_name   = "test"
  password    = "test"
  tenant_name = "test"
  domain_name = "Default"
}`
}

// written are the requests that would have made something.
func (f *fakeOpenStack) written() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// ServeHTTP answers for all services.
func (f *fakeOpenStack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/v3/auth/tokens":
		w.Header().Set("X-Subject-Token", "token")
		w.WriteHeader(http.StatusCreated)
		write(w, map[string]any{"token": map[string]any{"expires_at": "2099-01-01T00:00:00.000000Z", "catalog": f.catalogue()}})
	case r.Method != http.MethodGet:
		f.mu.Lock()
		f.writes = append(f.writes, r.Method+" "+path)
		f.mu.Unlock()
		w.WriteHeader(http.StatusNotImplemented)
	case strings.HasSuffix(path, "/images"):
		write(w, map[string]any{"images": []any{map[string]any{"id": "image-1", "name": r.URL.Query().Get("name"), "status": "active", "visibility": "public",
			"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "schema": "/v2/schemas/image"}}})
	case strings.HasSuffix(path, "/networks"):
		write(w, map[string]any{"networks": []any{map[string]any{"id": "external-1", "name": "public", "status": "ACTIVE", "admin_state_up": true, "router:external": true,
			"subnets": []any{}}}})
	default: // the versions of a service
		write(w, map[string]any{"versions": []any{map[string]any{"id": "v2.0", "status": "CURRENT", "links": []any{map[string]any{"rel": "self", "href": f.server.URL + path}}}}})
	}
}

func (f *fakeOpenStack) catalogue() []any {
	var all []any
	for _, kind := range []string{"identity", "image", "network", "compute"} {
		all = append(all, map[string]any{"id": kind, "type": kind, "name": kind, "endpoints": []any{map[string]any{"id": kind + "-1", "interface": "public", "region": "one",
			"region_id": "one", "url": f.server.URL + "/" + kind + "/"}}})
	}
	return all
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}
