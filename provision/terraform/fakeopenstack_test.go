package terraform

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

type object = map[string]any

// fakeOpenStack is a Keystone that lets everybody in, a Glance with one image, and a Neutron and a Nova that keep what is made, in the
// forms in which the provider asks for it. It starts with one external network.
type fakeOpenStack struct {
	server *httptest.Server

	mu sync.Mutex
	// kept are the objects by kind (networks, ports, ...) and id.
	kept   map[string]map[string]object
	writes []string
	last   int
}

func newFakeOpenStack(t *testing.T) *fakeOpenStack {
	f := &fakeOpenStack{kept: map[string]map[string]object{"networks": {"external-1": {"id": "external-1", "name": "public", "status": "ACTIVE",
		"admin_state_up": true, "router:external": true, "subnets": []any{}}}}}
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

// left are the kinds of which something is there, but for the external network.
func (f *fakeOpenStack) left() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var left []string
	for kind, all := range f.kept {
		for id := range all {
			if id != "external-1" {
				left = append(left, kind+" "+id)
			}
		}
	}
	return left
}

// ServeHTTP answers for all services.
func (f *fakeOpenStack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v3/auth/tokens" {
		w.Header().Set("X-Subject-Token", "token")
		answer(w, http.StatusCreated, object{"token": object{"expires_at": "2099-01-01T00:00:00.000000Z", "catalog": f.catalogue()}})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method != http.MethodGet {
		f.writes = append(f.writes, r.Method+" "+r.URL.Path)
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) > 1 && strings.HasPrefix(parts[1], "v2") { // a version
		parts = slices.Delete(parts, 1, 2)
	}
	switch {
	case len(parts) < 2: // the versions of a service
		answer(w, http.StatusOK, object{"versions": []any{object{"id": "v2.0", "status": "CURRENT", "links": []any{object{"rel": "self", "href": f.server.URL + r.URL.Path}}}}})
	case parts[1] == "images":
		answer(w, http.StatusOK, object{"images": []any{object{"id": "image-1", "name": r.URL.Query().Get("name"), "status": "active", "visibility": "public",
			"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "schema": "/v2/schemas/image"}}})
	case parts[1] == "flavors":
		flavor := object{"id": "flavor-1", "name": "m1.xlarge", "ram": 16384, "disk": 0, "vcpus": 8}
		answer(w, http.StatusOK, object{"flavors": []any{flavor}, "flavor": flavor})
	case len(parts) > 3:
		f.part(w, r, parts[1], parts[2], parts[3])
	default:
		f.resource(w, r, parts[1:])
	}
}

func (f *fakeOpenStack) catalogue() []any {
	var all []any
	for _, kind := range []string{"identity", "image", "network", "compute"} {
		all = append(all, object{"id": kind, "type": kind, "name": kind, "endpoints": []any{object{"id": kind + "-1", "interface": "public", "region": "one",
			"region_id": "one", "url": f.server.URL + "/" + kind + "/"}}})
	}
	return all
}

// resource is REST on one kind: parts are the kind, and the id where there is one.
func (f *fakeOpenStack) resource(w http.ResponseWriter, r *http.Request, parts []string) {
	kind := parts[0]
	single := strings.ReplaceAll(strings.TrimSuffix(kind, "s"), "-", "_")
	if len(parts) == 1 && r.Method == http.MethodPost {
		made := f.make(kind, body(r, single))
		answer(w, map[bool]int{true: http.StatusAccepted, false: http.StatusCreated}[kind == "servers"], object{single: made})
		return
	}
	if len(parts) == 1 || parts[1] == "detail" {
		var all []any
		for _, id := range slices.Sorted(maps.Keys(f.kept[kind])) {
			if o := f.kept[kind][id]; matches(o, r) {
				all = append(all, o)
			}
		}
		answer(w, http.StatusOK, object{strings.ReplaceAll(kind, "-", "_"): append([]any{}, all...)})
		return
	}
	found, ok := f.kept[kind][parts[1]]
	switch {
	case !ok:
		answer(w, http.StatusNotFound, object{"NotFound": object{"message": "no such " + single}})
		return
	case r.Method == http.MethodDelete:
		delete(f.kept[kind], parts[1])
		w.WriteHeader(http.StatusNoContent)
		return
	case r.Method == http.MethodPut:
		maps.Copy(found, body(r, single))
	}
	answer(w, http.StatusOK, object{single: found})
}

func matches(o object, r *http.Request) bool {
	for _, key := range []string{"id", "name", "network_id", "device_id"} {
		if want := r.URL.Query().Get(key); want != "" && o[key] != want {
			return false
		}
	}
	return true
}

// make keeps a new object, with what the service adds.
func (f *fakeOpenStack) make(kind string, o object) object {
	f.last++
	id := fmt.Sprintf("%s-%d", kind, f.last)
	o["id"], o["status"] = id, "ACTIVE"
	switch kind {
	case "security-groups":
		o["security_group_rules"] = []any{}
	case "floatingips":
		o["floating_ip_address"] = fmt.Sprintf("192.0.2.%d", f.last)
	case "ports":
		o["mac_address"] = fmt.Sprintf("fa:16:3e:00:00:%02x", f.last)
	case "subnets":
		o["gateway_ip"] = strings.Replace(o["cidr"].(string), ".0/24", ".1", 1)
	case "servers":
		o["flavor"] = object{"id": "flavor-1"}
		o["addresses"], o["image"] = f.addresses(o), ""
		o["created"], o["updated"] = "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"
	}
	if f.kept[kind] == nil {
		f.kept[kind] = map[string]object{}
	}
	f.kept[kind][id] = o
	return o
}

// addresses are those of a new server by the name of their network.
func (f *fakeOpenStack) addresses(server object) object {
	all := object{}
	for _, n := range server["networks"].([]any) {
		port := f.kept["ports"][n.(object)["port"].(string)]
		network := f.kept["networks"][port["network_id"].(string)]
		all[network["name"].(string)] = []any{object{"version": 4, "addr": port["fixed_ips"].([]any)[0].(object)["ip_address"],
			"OS-EXT-IPS-MAC:mac_addr": port["mac_address"], "OS-EXT-IPS:type": "fixed"}}
	}
	return all
}

// part is what belongs to one object: a router's interfaces, and a server's ports and disks.
func (f *fakeOpenStack) part(w http.ResponseWriter, r *http.Request, kind, id, what string) {
	switch what {
	case "add_router_interface":
		port := f.make("ports", object{"device_id": id, "network_id": "networks-1", "device_owner": "network:router_interface", "fixed_ips": []any{body(r, "")}})
		answer(w, http.StatusOK, object{"id": id, "port_id": port["id"], "subnet_id": port["fixed_ips"].([]any)[0].(object)["subnet_id"]})
	case "remove_router_interface":
		maps.DeleteFunc(f.kept["ports"], func(_ string, o object) bool { return o["device_id"] == id })
		answer(w, http.StatusOK, object{"id": id})
	case "os-interface":
		var all []any
		for _, n := range f.kept[kind][id]["networks"].([]any) {
			port := f.kept["ports"][n.(object)["port"].(string)]
			all = append(all, object{"port_id": port["id"], "net_id": port["network_id"], "mac_addr": port["mac_address"], "port_state": "ACTIVE", "fixed_ips": port["fixed_ips"]})
		}
		answer(w, http.StatusOK, object{"interfaceAttachments": all})
	case "os-volume_attachments":
		answer(w, http.StatusOK, object{"volumeAttachments": []any{}})
	default:
		answer(w, http.StatusNotFound, object{"NotFound": object{"message": "nothing here"}})
	}
}

// body is what the request has under a name; all of it under none.
func body(r *http.Request, single string) object {
	all := object{}
	_ = json.NewDecoder(r.Body).Decode(&all)
	if inner, ok := all[single].(object); ok {
		return inner
	}
	return all
}

func answer(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value)
}
