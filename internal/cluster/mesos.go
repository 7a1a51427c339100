package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jomctl/jomctl/internal/pause"
)

// Mesos is the operator API. Masters are host:port, http:// URLs, or the one URL of the edge; each is asked in turn
// and its redirect to the leader followed, so any living master will do.
type Mesos struct {
	Masters []string
	// Dial leads to masters and agents; nil is the direct way.
	Dial Dial
	// Last, where set, keeps the last state for those who ask again and again: an equal answer is not read again, and nobody may change what State gives.
	Last *LastState
	// Patience is how long a call goes on while nobody leads or answers; 0 means 15 s (an election takes 10 s).
	Patience time.Duration
}

const (
	mesosPatience = 15 * time.Second
	retryPause    = 300 * time.Millisecond
	jsonType      = "application/json"
	formType      = "application/x-www-form-urlencoded"
)

// Ready is nil when a leading master has finished its recovery. /health, /state and /redirect answer 200 up to a
// minute before that, and on standbys, so the v1 call GET_HEALTH is what counts. It does not wait.
func (m Mesos) Ready(ctx context.Context) error {
	var health struct {
		GetHealth struct {
			Healthy bool `json:"healthy"`
		} `json:"get_health"`
	}
	err := m.once(ctx, request{method: http.MethodPost, url: "/api/v1", contentType: jsonType, body: []byte(`{"type":"GET_HEALTH"}`)}, &health)
	if err == nil && !health.GetHealth.Healthy {
		err = errors.New("the leading master says it is not healthy")
	}
	if err != nil {
		return &Error{Op: "ask Mesos for its health", On: m.names(), Cause: err, Next: "look at the masters' logs; a quorum of masters and ZooKeeper must be up"}
	}
	return nil
}

// State reads the cluster from the leading master.
func (m Mesos) State(ctx context.Context) (State, error) {
	var answer body
	err := m.call(ctx, request{method: http.MethodGet, url: "/state"}, &answer)
	state := State{}
	if err == nil {
		state, err = m.Last.read(answer)
	}
	return state, failed("read the state of Mesos", m.names(), err)
}

// Teardown ends a framework and kills all its tasks. The id can never be used again. A framework that is not there
// any more is ErrNotFound.
func (m Mesos) Teardown(ctx context.Context, frameworkID string) error {
	body := url.Values{"frameworkId": {frameworkID}}.Encode()
	err := m.call(ctx, request{method: http.MethodPost, url: "/teardown", contentType: formType, body: []byte(body)}, nil)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusBadRequest && strings.Contains(status.Body, "No framework found") {
		err = fmt.Errorf("%w: %s", ErrNotFound, firstLine(status.Body))
	}
	return failed("tear down framework "+frameworkID, m.names(), err)
}

// MasterHealth is one master as it answers itself.
type MasterHealth struct {
	Addr    string
	Version string
	// Elected says that it leads, Recovered that its registrar has recovered (only then does a leader work).
	Elected   bool
	Recovered bool
	// StandIn says that it is a stand-in and not the real program.
	StandIn bool
	// Err is set when it did not answer.
	Err error
}

// Health asks each master on its own, without following redirects, in the order of m.Masters.
func (m Mesos) Health(ctx context.Context) []MasterHealth {
	all := make([]MasterHealth, len(m.Masters))
	var group sync.WaitGroup
	for i, addr := range m.Masters {
		group.Go(func() { all[i] = m.health(ctx, addr) })
	}
	group.Wait()
	return all
}

func (m Mesos) health(ctx context.Context, addr string) MasterHealth {
	health := MasterHealth{Addr: addr}
	client := newHTTP(m.Dial)
	defer client.CloseIdleConnections()
	var version struct {
		Version   string `json:"version"`
		BuildUser string `json:"build_user"`
	}
	var metrics map[string]float64
	for path, out := range map[string]any{"/version": &version, "/metrics/snapshot": &metrics} {
		answer, err := send(ctx, client, request{method: http.MethodGet, url: withScheme(addr) + path})
		if err == nil {
			err = decode(http.MethodGet, answer, out)
		}
		if err != nil {
			health.Err = failed("ask the Mesos master", addr, err)
			return health
		}
	}
	health.Version, health.StandIn = version.Version, isStandIn(version.BuildUser)
	health.Elected = metrics["master/elected"] == 1
	health.Recovered = metrics["registrar/log/recovered"] == 1
	return health
}

// StandIn says whether the masters are stand-ins, and their version.
func (m Mesos) StandIn(ctx context.Context) (standIn bool, version string, err error) {
	var answer struct {
		Version   string `json:"version"`
		BuildUser string `json:"build_user"`
	}
	err = m.call(ctx, request{method: http.MethodGet, url: "/version"}, &answer)
	return isStandIn(answer.BuildUser), answer.Version, failed("ask Mesos for its version", m.names(), err)
}

func (m Mesos) names() string { return strings.Join(m.Masters, ",") }

// call goes on while nobody leads; each other failure is final.
func (m Mesos) call(ctx context.Context, r request, out any) error {
	patience := m.Patience
	if patience == 0 {
		patience = mesosPatience
	}
	deadline := time.Now().Add(patience)
	for {
		err := m.once(ctx, r, out)
		if err == nil || final(err) || time.Now().After(deadline) {
			return err
		}
		if stop := pause.For(ctx, retryPause); stop != nil {
			return fmt.Errorf("%w (%w)", err, stop)
		}
	}
}

// once tries every master until one leads to the leader.
func (m Mesos) once(ctx context.Context, r request, out any) error {
	if len(m.Masters) == 0 {
		return errors.New("no master is known")
	}
	client := newHTTP(m.Dial)
	defer client.CloseIdleConnections()
	var faults []error
	for _, addr := range m.Masters {
		to := r
		to.url = withScheme(addr) + r.url
		answer, err := send(ctx, client, to)
		if err == nil {
			err = decode(r.method, answer, out)
		}
		if err == nil || final(err) {
			return err
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// final says that asking another master, or the same one later, would not help.
func final(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code < 500
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, context.Canceled)
}

// isStandIn knows what a stand-in writes where the real program names its build.
func isStandIn(build string) bool { return build == "stand-in" }
