package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
	"github.com/jomctl/jomctl/internal/testkit"
)

// fakeFramework is a scheduler over the real v1 API: it launches waiting commands on any offer, one task an offer, and
// acknowledges everything. It subscribes again under its id for ever.
type fakeFramework struct {
	t       *testing.T
	masters []string
	stop    context.CancelFunc

	mu       sync.Mutex
	info     mesos.FrameworkInfo
	stream   string
	leader   string
	waiting  []mesos.TaskInfo
	statuses []mesos.TaskStatus
}

func newFramework(t *testing.T, checkpoint bool, masters ...string) *fakeFramework {
	ctx, stop := context.WithCancel(context.Background())
	f := &fakeFramework{t: t, masters: masters, stop: stop, info: mesos.FrameworkInfo{
		User: "root", Name: "tests", Checkpoint: &checkpoint, FailoverTimeout: p(600.0), Roles: []string{"*"},
		Capabilities: []mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE}, {Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE}},
	}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ctx.Err() == nil; i++ {
			f.subscribe(ctx, masters[i%len(masters)])
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return f
}

func (f *fakeFramework) post(ctx context.Context, master string, call any, stream string) (*http.Response, error) {
	content, err := json.Marshal(call)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+master+"/api/v1/scheduler", bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if stream != "" {
		request.Header.Set("Mesos-Stream-Id", stream)
	}
	return http.DefaultClient.Do(request)
}

func (f *fakeFramework) subscribe(ctx context.Context, master string) {
	f.mu.Lock()
	info := f.info
	f.mu.Unlock()
	call := scheduler.Call{Type: scheduler.Call_SUBSCRIBE, FrameworkID: info.ID, Subscribe: &scheduler.Call_Subscribe{FrameworkInfo: &info}}
	response, err := f.post(ctx, master, &call, "")
	if err != nil {
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return
	}
	f.mu.Lock()
	f.stream, f.leader = response.Header.Get("Mesos-Stream-Id"), response.Request.URL.Host
	f.mu.Unlock()
	records := wire.NewRecordReader(response.Body)
	for {
		var event scheduler.Event
		content, err := records.Next()
		if err != nil || json.Unmarshal(content, &event) != nil {
			return
		}
		f.handle(ctx, &event)
	}
}

func (f *fakeFramework) handle(ctx context.Context, event *scheduler.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch event.Type {
	case scheduler.Event_SUBSCRIBED:
		f.info.ID = event.Subscribed.FrameworkID
	case scheduler.Event_OFFERS:
		for _, offer := range event.Offers.Offers {
			f.accept(ctx, offer)
		}
	case scheduler.Event_UPDATE:
		status := event.Update.Status
		f.statuses = append(f.statuses, status)
		if len(status.UUID) > 0 {
			f.say(ctx, &scheduler.Call{Type: scheduler.Call_ACKNOWLEDGE, Acknowledge: &scheduler.Call_Acknowledge{
				AgentID: *status.AgentID, TaskID: status.TaskID, UUID: status.UUID,
			}})
		}
	}
}

func (f *fakeFramework) accept(ctx context.Context, offer mesos.Offer) {
	accept := &scheduler.Call_Accept{OfferIDs: []mesos.OfferID{offer.ID}, Filters: &mesos.Filters{RefuseSeconds: p(0.0)}}
	if len(f.waiting) > 0 {
		info := f.waiting[0]
		f.waiting = f.waiting[1:]
		info.AgentID = offer.AgentID
		accept.Operations = []mesos.Offer_Operation{{Type: mesos.Offer_Operation_LAUNCH, Launch: &mesos.Offer_Operation_Launch{TaskInfos: []mesos.TaskInfo{info}}}}
	}
	f.say(ctx, &scheduler.Call{Type: scheduler.Call_ACCEPT, Accept: accept})
}

// say sends a call; the lock is held.
func (f *fakeFramework) say(ctx context.Context, call *scheduler.Call) {
	call.FrameworkID = f.info.ID
	response, err := f.post(ctx, f.leader, call, f.stream)
	if err != nil {
		return
	}
	text, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		f.t.Logf("%s: %s %s", call.Type, response.Status, text)
	}
}

func (f *fakeFramework) run(id, command string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = append(f.waiting, mesos.TaskInfo{Name: id, TaskID: mesos.TaskID{Value: id}, Command: &mesos.CommandInfo{Value: &command}, Resources: []mesos.Resource{
		{Name: "cpus", Type: p(mesos.SCALAR), Scalar: &mesos.Value_Scalar{Value: 0.1}}, {Name: "mem", Type: p(mesos.SCALAR), Scalar: &mesos.Value_Scalar{Value: 32}},
	}})
}

func (f *fakeFramework) kill(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.say(context.Background(), &scheduler.Call{Type: scheduler.Call_KILL, Kill: &scheduler.Call_Kill{TaskID: mesos.TaskID{Value: id}}})
}

func (f *fakeFramework) await(id string, wanted mesos.TaskState) mesos.TaskStatus {
	f.t.Helper()
	var got mesos.TaskStatus
	testkit.Eventually(f.t, time.Minute, fmt.Sprintf("the framework hears %s of %s", wanted, id), func(context.Context) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, one := range f.statuses {
			if one.TaskID.Value == id && one.GetState() == wanted {
				got = one
				return true
			}
		}
		return false
	})
	return got
}

// heard are the states of one task in order, without repeated updates.
func (f *fakeFramework) heard(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	seen := map[string]bool{}
	for _, one := range f.statuses {
		repeated := len(one.UUID) > 0 && seen[string(one.UUID)]
		seen[string(one.UUID)] = true
		if one.TaskID.Value == id && !repeated {
			list = append(list, one.GetState().String())
		}
	}
	return strings.Join(list, " ")
}

func (f *fakeFramework) id() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	require.NotNil(f.t, f.info.ID)
	return f.info.ID.Value
}
