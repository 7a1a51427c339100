package master

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

// goFramework is a framework that uses the Go library's own client, as the Marathon and Jenkins stand-ins do.
type goFramework struct {
	t      testing.TB
	caller calls.Caller
	cancel context.CancelFunc
	events chan *scheduler.Event
	id     string
	info   mesos.FrameworkInfo
}

func goInfo(name string) mesos.FrameworkInfo {
	return mesos.FrameworkInfo{
		User: "root", Name: name, Roles: []string{"jenkins"}, FailoverTimeout: ptr(60.0), Checkpoint: ptr(true),
		Capabilities: []mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE}, {Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE}},
	}
}

func subscribeGo(t testing.TB, base, codec string, info mesos.FrameworkInfo) *goFramework {
	t.Helper()
	kind := codecs.ByMediaType[codecs.MediaTypeProtobuf]
	if codec == "json" {
		kind = codecs.ByMediaType[codecs.MediaTypeJSON]
	}
	caller := httpsched.NewCaller(httpcli.New(httpcli.Endpoint(base+"/api/v1/scheduler"), httpcli.Codec(kind)))
	f := &goFramework{t: t, events: make(chan *scheduler.Event, 1000), info: info}
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(context.Background())
	t.Cleanup(f.cancel)
	f.caller = caller
	subscribe := calls.Subscribe(&info)
	if info.ID != nil {
		subscribe = subscribe.With(calls.SubscribeTo(info.ID.Value))
	}
	response, err := caller.Call(ctx, subscribe)
	require.NoError(t, err)
	go func() {
		defer response.Close()
		defer close(f.events)
		for {
			event := &scheduler.Event{}
			if response.Decode(event) != nil {
				return
			}
			f.events <- event
		}
	}()
	subscribed := f.await(scheduler.Event_SUBSCRIBED)
	f.id = subscribed.Subscribed.FrameworkID.Value
	f.info.ID = subscribed.Subscribed.FrameworkID
	return f
}

func (f *goFramework) await(kind scheduler.Event_Type) *scheduler.Event {
	f.t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case event, ok := <-f.events:
			require.True(f.t, ok, "the stream ends before %s", kind)
			if event.Type == kind {
				return event
			}
		case <-limit:
			f.t.Fatalf("no %s", kind)
		}
	}
}

func (f *goFramework) call(call *scheduler.Call) {
	f.t.Helper()
	require.NoError(f.t, calls.CallNoData(context.Background(), f.caller, call.With(calls.Framework(f.id))))
}

func (f *goFramework) offer() mesos.Offer {
	f.t.Helper()
	return f.await(scheduler.Event_OFFERS).Offers.Offers[0]
}

func goTask(id string, offer mesos.Offer) mesos.TaskInfo {
	return mesos.TaskInfo{
		Name: id, TaskID: mesos.TaskID{Value: id}, AgentID: offer.AgentID, Resources: bagOf("cpus:0.1;mem:32").list("jenkins"),
		Command: &mesos.CommandInfo{Value: ptr("sleep 1000")},
	}
}

func (f *goFramework) launch(offer mesos.Offer, tasks ...mesos.TaskInfo) {
	f.t.Helper()
	f.call(calls.Accept(calls.OfferOperations{calls.OpLaunch(tasks...)}.WithOffers(offer.ID)).With(calls.RefuseSeconds(0)))
}

// state waits for a state of the task and acknowledges on the way.
func (f *goFramework) state(task string, state mesos.TaskState) *mesos.TaskStatus {
	f.t.Helper()
	for {
		status := f.await(scheduler.Event_UPDATE).Update.Status
		if len(status.UUID) > 0 {
			f.call(calls.Acknowledge(status.AgentID.Value, status.TaskID.Value, status.UUID))
		}
		if status.TaskID.Value == task && status.GetState() == state {
			return &status
		}
	}
}

func TestGoClientInBothEncodings(t *testing.T) {
	for _, codec := range []string{"json", "protobuf"} {
		t.Run(codec, func(t *testing.T) {
			_, base := startAlone(t)
			newSimAgent(t, base, 1).register()
			f := subscribeGo(t, base, codec, goInfo("go"))
			offer := f.offer()
			require.Equal(t, "jenkins", offer.AllocationInfo.GetRole())
			f.launch(offer, goTask("one", offer), goTask("two", offer))
			f.state("two", mesos.TASK_RUNNING)
			f.call(calls.Suppress())
			f.call(calls.Revive())
			f.call(calls.Reconcile(calls.ReconcileTasks(map[string]string{"one": offer.AgentID.Value})))
			f.call(calls.Kill("one", offer.AgentID.Value))
			f.state("one", mesos.TASK_KILLED)

			again := subscribeGo(t, base, codec, f.info)
			require.Equal(t, f.id, again.id)
			require.Equal(t, "Framework failed over", f.await(scheduler.Event_ERROR).Error.Message)
			again.call(calls.Kill("two", offer.AgentID.Value))
			again.state("two", mesos.TASK_KILLED)
			again.call(calls.Shutdown("x", offer.AgentID.Value))
		})
	}
}
