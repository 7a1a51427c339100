package marathon

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	sched "github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/marathon/api"
	"github.com/jomctl/jomctl/internal/standin/marathon/core"
	"github.com/jomctl/jomctl/internal/standin/marathon/event"
	"github.com/jomctl/jomctl/internal/standin/marathon/scheduler"
	"github.com/jomctl/jomctl/internal/standin/marathon/zkstate"
)

// abdicationDelay is how long a leader goes on after it has answered a DELETE of the leader.
const abdicationDelay = 500 * time.Millisecond

// lead does the leader's work until the context or the process ends.
func (p *process) lead(ctx context.Context, root string) {
	store := zkstate.OpenStore(p.conn, root, func(err error) { p.end(exitLostLeadership, err.Error()) })
	frameworkID, err := store.FrameworkID()
	if err != nil {
		p.end(exitFrameworkID, err.Error())
		return
	}
	bus := event.NewBus(p.flags.number("event_stream_max_outstanding_messages"))
	login, err := p.flags.login()
	if err != nil {
		p.end(exitUncaught, err.Error())
		return
	}
	l := &leadership{process: p, store: store, bus: bus}
	l.id.Store(&frameworkID)
	l.driver = scheduler.New(scheduler.Config{Master: p.flags.values["master"], Framework: p.framework(frameworkID), Silence: p.silence(),
		Login: login, Session: p.flags.ms("zk_session_timeout"), BeforeSend: store.Flush, Events: l.event, Log: p.logf})
	l.core = core.New(p.flags.coreConfig(), store, bus, l.driver.Send, p.logf)
	if err := l.core.Load(); err != nil {
		p.end(exitLostLeadership, err.Error())
		return
	}
	l.core.Start(ctx.Done())
	p.server.Lead(&api.Leading{Core: l.core, Bus: bus, Info: l.info, Abdicate: l.abdicate, Resigned: l.resigned.Load})
	p.logf("leading, framework id %q", frameworkID)
	err = l.driver.Run(ctx)
	if ctx.Err() != nil {
		bus.Close()
		return
	}
	l.driverEnded(err)
}

type leadership struct {
	*process
	store    *zkstate.Store
	bus      *event.Bus
	core     *core.Core
	driver   *scheduler.Driver
	id       atomic.Pointer[string]
	again    bool
	resigned atomic.Bool
}

func (l *leadership) driverEnded(err error) {
	var fatal *scheduler.ErrorEvent
	switch {
	case errors.Is(err, scheduler.ErrDisconnected):
		l.bus.Publish("scheduler_disconnected_event", struct{}{})
		time.Sleep(50 * time.Millisecond) // lets the streams carry the event
		l.bus.Close()
		l.end(exitLostLeadership, "Lost leadership; crashing")
	case errors.As(err, &fatal) && (strings.Contains(fatal.Message, "Framework has been removed") || strings.Contains(fatal.Message, "Completed framework")):
		l.end(exitFrameworkRemoved, fatal.Error())
	case err != nil:
		l.end(exitMesosError, err.Error())
	}
}

func (p *process) silence() time.Duration {
	return p.flags.ms("mesos_heartbeat_interval") * time.Duration(p.flags.number("mesos_heartbeat_failure_threshold"))
}

func (p *process) framework(id string) mesos.FrameworkInfo {
	f := p.flags
	timeout, err := strconv.ParseFloat(f.values["failover_timeout"], 64)
	if err != nil {
		timeout = 604800
	}
	hostname, checkpoint, ui := f.values["hostname"], f.switches["checkpoint"], f.values["webui_url"]
	if ui == "" {
		ui = "http://" + p.id
	}
	info := mesos.FrameworkInfo{User: f.values["mesos_user"], Name: f.values["framework_name"], FailoverTimeout: &timeout, Checkpoint: &checkpoint,
		Roles: []string{f.values["mesos_role"]}, Hostname: &hostname, WebUiURL: &ui}
	kinds := []mesos.FrameworkInfo_Capability_Type{mesos.FrameworkInfo_Capability_PARTITION_AWARE, mesos.FrameworkInfo_Capability_MULTI_ROLE, mesos.FrameworkInfo_Capability_REGION_AWARE}
	for _, feature := range f.features {
		switch feature {
		case "task_killing":
			kinds = append(kinds, mesos.FrameworkInfo_Capability_TASK_KILLING_STATE)
		case "gpu_resources":
			kinds = append(kinds, mesos.FrameworkInfo_Capability_GPU_RESOURCES)
		}
	}
	for _, kind := range kinds {
		info.Capabilities = append(info.Capabilities, mesos.FrameworkInfo_Capability{Type: kind})
	}
	if principal := f.values["mesos_authentication_principal"]; principal != "" {
		info.Principal = &principal
	}
	if id != "" {
		info.ID = &mesos.FrameworkID{Value: id}
	}
	return info
}

// event hands one event of Mesos on.
func (l *leadership) event(e *sched.Event) {
	switch e.Type {
	case sched.Event_SUBSCRIBED:
		l.subscribed(e.Subscribed)
	case sched.Event_OFFERS:
		if e.Offers != nil {
			l.core.Offers(e.Offers.Offers)
		}
	case sched.Event_UPDATE:
		if e.Update != nil {
			l.core.Update(&e.Update.Status)
		}
	case sched.Event_FAILURE, sched.Event_RESCIND, sched.Event_HEARTBEAT, sched.Event_MESSAGE:
		// Task states follow as updates; offers are answered at once, so none is held that could be rescinded.
	}
}

func (l *leadership) subscribed(e *sched.Event_Subscribed) {
	master := ""
	if e.MasterInfo != nil {
		if e.MasterInfo.Hostname != nil {
			master = *e.MasterInfo.Hostname
		}
		if e.MasterInfo.Port != nil {
			master += ":" + strconv.Itoa(int(*e.MasterInfo.Port))
		}
	}
	id := e.FrameworkID.Value
	if *l.id.Load() != id {
		if err := l.store.SetFrameworkID(id); err != nil {
			l.end(exitLostLeadership, err.Error())
			return
		}
		l.id.Store(&id)
	}
	l.logf("registered as %s with master %s", id, master)
	if l.again {
		l.bus.Publish("scheduler_reregistered_event", map[string]string{"master": master})
	} else {
		l.bus.Publish("scheduler_registered_event", map[string]string{"frameworkId": id, "master": master})
	}
	l.core.Subscribed(e, l.again)
	l.again = true
}

func (l *leadership) abdicate() {
	if l.resigned.Swap(true) {
		return
	}
	time.AfterFunc(abdicationDelay, func() {
		l.vote.Resign()
		l.bus.Close()
		l.end(exitLostLeadership, "Lost leadership; crashing")
	})
}
