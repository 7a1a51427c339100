package master

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/jomctl/jomctl/internal/standin/edition"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// What /version says. The number is the one that clients know the API by; that this is a stand-in is in build_user.
const (
	recorded  = "1.11.0"
	buildUser = "stand-in"
	buildDate = "2026-11-21 00:00:00 UTC"
	buildTime = 1795219200
	gitSHA    = "0000000000000000000000000000000000000000"
)

// maxBody bounds what a client may send in one request.
const maxBody = 64 << 20

func versionObject() object {
	return object{"version": edition.Version(recorded), "build_user": buildUser, "build_date": buildDate, "build_time": double(buildTime), "git_sha": gitSHA}
}

func (s *server) getVersion(w http.ResponseWriter, r *http.Request) {
	answerJSON(w, r, versionObject())
}

func (s *server) flagsObject() object {
	out := object{}
	for _, one := range s.flags.list {
		if one.set {
			out[one.name] = one.value
		}
	}
	return out
}

func (s *server) getFlags(w http.ResponseWriter, r *http.Request) {
	answerJSON(w, r, object{"flags": s.flagsObject()})
}

func (s *server) getState(w http.ResponseWriter, r *http.Request) {
	leader, elected, _ := s.standing()
	out := versionObject()
	s.mu.Lock()
	active, deactivated := 0, 0
	for _, a := range s.agents {
		if a.active() {
			active++
		} else {
			deactivated++
		}
	}
	frameworks, completed := s.frameworkObjects()
	for key, value := range (object{
		"start_time": double(seconds(s.started)), "elected_time": double(seconds(elected)), "id": s.info.ID, "pid": s.info.GetPID(),
		"hostname": s.info.GetHostname(), "capabilities": []string{"AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2"},
		"activated_slaves": double(active), "deactivated_slaves": double(deactivated), "unreachable_slaves": double(len(s.unreachable)),
		"leader": leader.GetPID(), "leader_info": object{"id": leader.ID, "pid": leader.GetPID(), "port": leader.GetPort(), "hostname": leader.GetHostname()},
		"flags": s.flagsObject(), "slaves": s.agentObjects((*agent).object), "recovered_slaves": s.recoveredObjects(),
		"frameworks": frameworks, "completed_frameworks": completed, "orphan_tasks": []object{}, "unregistered_frameworks": []object{},
	}) {
		out[key] = value
	}
	if s.flags.given("cluster") {
		out["cluster"] = s.flags.get("cluster")
	}
	if s.flags.given("log_dir") {
		out["log_dir"] = s.flags.get("log_dir")
	}
	s.mu.Unlock()
	answerJSON(w, r, out)
}

// locked renders under the lock and writes without it.
func (s *server) locked(w http.ResponseWriter, r *http.Request, render func() object) {
	s.mu.Lock()
	out := render()
	s.mu.Unlock()
	answerJSON(w, r, out)
}

func (s *server) getSummary(w http.ResponseWriter, r *http.Request) {
	s.locked(w, r, func() object {
		out := s.summaryObject()
		if s.flags.given("cluster") {
			out["cluster"] = s.flags.get("cluster")
		}
		return out
	})
}

func (s *server) getSlaves(w http.ResponseWriter, r *http.Request) {
	only := r.URL.Query().Get("slave_id")
	s.locked(w, r, func() object {
		list := []object{}
		for _, a := range sortedAgents(s.agents) {
			if only == "" || a.id == only {
				list = append(list, a.full())
			}
		}
		return object{"slaves": list, "recovered_slaves": s.recoveredObjects()}
	})
}

func (s *server) getFrameworks(w http.ResponseWriter, r *http.Request) {
	only := r.URL.Query().Get("framework_id")
	s.locked(w, r, func() object {
		active, completed := s.frameworkObjects()
		keep := func(list []object) []object {
			out := []object{}
			for _, one := range list {
				if only == "" || one["id"] == only {
					out = append(out, one)
				}
			}
			return out
		}
		return object{"frameworks": keep(active), "completed_frameworks": keep(completed), "unregistered_frameworks": []object{}}
	})
}

func (s *server) getTasks(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	s.locked(w, r, func() object {
		return s.tasksObject(queryNumber(query.Get("limit"), 100), queryNumber(query.Get("offset"), 0), query.Get("order") == "asc")
	})
}

func (s *server) getRoles(w http.ResponseWriter, r *http.Request) { s.locked(w, r, s.rolesObject) }

func (s *server) getMetrics(w http.ResponseWriter, r *http.Request) {
	if timeout := r.URL.Query().Get("timeout"); timeout != "" {
		if _, err := parseDuration(timeout); err != nil {
			answerText(w, http.StatusBadRequest, fmt.Sprintf("Invalid timeout '%s': %v.\n", timeout, err))
			return
		}
	}
	out := object{}
	for name, value := range s.allMetrics() {
		out[name] = double(value)
	}
	answerJSON(w, r, out)
}

func (s *server) allMetrics() map[string]float64 {
	out := s.metrics()
	_, elected, recovered := s.standing()
	load, memTotal, memFree := systemStats()
	out["master/uptime_secs"] = uptime(s.started)
	out["system/load_1min"], out["system/load_5min"], out["system/load_15min"] = load[0], load[1], load[2]
	out["system/mem_total_bytes"], out["system/mem_free_bytes"], out["system/cpus_total"] = memTotal, memFree, float64(runtime.NumCPU())
	out["registrar/log/ensemble_size"] = max(1, float64(s.flags.number("quorum"))*2-1)
	if !elected.IsZero() {
		out["master/elected"] = 1
	}
	// As in the real one, the log of a standby counts as recovered too.
	if recovered || elected.IsZero() {
		out["registrar/log/recovered"] = 1
	}
	return out
}

func (s *server) getStats(w http.ResponseWriter, r *http.Request) {
	load, memTotal, memFree := systemStats()
	answerJSON(w, r, object{
		"avg_load_1min": double(load[0]), "avg_load_5min": double(load[1]), "avg_load_15min": double(load[2]),
		"cpus_total": runtime.NumCPU(), "mem_total_bytes": memTotal, "mem_free_bytes": memFree,
	})
}

// getRegistry shows what the registry holds; a standby has not read it.
func (s *server) getRegistry(w http.ResponseWriter, r *http.Request) {
	if _, elected, recovered := s.standing(); elected.IsZero() || !recovered {
		answerJSON(w, r, object{})
		return
	}
	s.locked(w, r, func() object {
		list := []object{}
		for _, a := range sortedAgents(s.agents) {
			list = append(list, object{"deactivated": a.deactivated, "info": raw(a.info)})
		}
		for _, info := range sortedInfos(s.awaited) {
			list = append(list, object{"deactivated": false, "info": raw(info)})
		}
		return object{"master": object{"info": ready(masterJSON(s.info))}, "slaves": object{"slaves": list}}
	})
}

func (s *server) teardown(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		answerText(w, http.StatusBadRequest, "Unable to decode query string: "+err.Error())
		return
	}
	id := form.Get("frameworkId")
	if id == "" {
		answerText(w, http.StatusBadRequest, "Missing 'frameworkId' query parameter in the request body")
		return
	}
	s.endFramework(w, id)
}

// endFramework tears a framework down for an operator.
func (s *server) endFramework(w http.ResponseWriter, id string) {
	s.mu.Lock()
	fw := s.frameworks[id]
	if fw != nil {
		s.removeFramework(fw)
	}
	s.mu.Unlock()
	if fw == nil {
		answerText(w, http.StatusBadRequest, "No framework found with specified ID")
	}
}

func (s *server) agentRegister(w http.ResponseWriter, r *http.Request) {
	var registration wire.Register
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&registration); err != nil {
		answerText(w, http.StatusBadRequest, "read the registration: "+err.Error())
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice the agent's going
	remote, _, _ := net.SplitHostPort(r.RemoteAddr)
	a, stream, err := s.register(registration, agentIP(registration.Agent, remote))
	if err != nil {
		answerText(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	stream.serve(w, r)
	if a != nil {
		s.disconnect(a, stream)
	}
}

// agentIP is the address that offers and /slaves show.
func agentIP(info mesos.AgentInfo, remote string) string {
	if net.ParseIP(info.Hostname) != nil {
		return info.Hostname
	}
	if found, err := net.LookupIP(info.Hostname); err == nil {
		for _, ip := range found {
			if ip.To4() != nil {
				return ip.String()
			}
		}
	}
	return remote
}

func (s *server) agentCall(w http.ResponseWriter, r *http.Request) {
	var m wire.FromAgent
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&m); err != nil {
		answerText(w, http.StatusBadRequest, "read the agent's call: "+err.Error())
		return
	}
	if !s.hear(m) {
		answerText(w, http.StatusBadRequest, "agent "+m.AgentID.Value+" is not registered")
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
