package master

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/mesos/mesos-go/api/v1/lib/scheduler"

	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

// call is a Mesos message that can be read from protobuf.
type call interface{ Unmarshal([]byte) error }

// readCall reads a v1 call by its Content-Type. The answer is given when it returns false.
func readCall(w http.ResponseWriter, r *http.Request, into call) bool {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		answerText(w, http.StatusBadRequest, err.Error())
		return false
	}
	switch r.Header.Get("Content-Type") {
	case "":
		answerText(w, http.StatusBadRequest, "Expecting 'Content-Type' to be present")
		return false
	case typeJSON:
		err = wire.DecodeJSON(body, "Call", into)
	case typeProto:
		if into.Unmarshal(body) != nil {
			err = fmt.Errorf("Failed to parse body into Call protobuf")
		}
	default:
		answerText(w, http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of application/json or application/x-protobuf")
		return false
	}
	if err != nil {
		answerText(w, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}

// accepted is the type to answer in, empty with the answer given when the client takes neither.
func accepted(w http.ResponseWriter, r *http.Request) string {
	accept := r.Header.Get("Accept")
	if accept == "" {
		return typeJSON
	}
	found := ""
	for _, one := range strings.Split(accept, ",") {
		media, _, err := mime.ParseMediaType(strings.TrimSpace(one))
		if err != nil {
			continue
		}
		switch media {
		case "*/*", "application/*", typeJSON:
			return typeJSON
		case typeProto:
			found = typeProto
		}
	}
	if found == "" {
		answerText(w, http.StatusNotAcceptable, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")
	}
	return found
}

func encoder(contentType string) func(message) []byte {
	if contentType == typeProto {
		return func(m message) []byte {
			data, err := m.Marshal()
			if err != nil {
				panic(fmt.Sprintf("a message to a client must marshal: %v", err)) // own values, all required fields set
			}
			return data
		}
	}
	return func(m message) []byte { return wire.EncodeJSON(m) }
}

const streamIDHeader = "Mesos-Stream-Id"

func (s *server) scheduler(w http.ResponseWriter, r *http.Request) {
	principal, ok := s.admitFramework(w, r)
	if !ok {
		return
	}
	var c scheduler.Call
	if !readCall(w, r, &c) {
		return
	}
	why := invalidCall(&c)
	if why == "" {
		why = foreignPrincipal(&c, principal)
	}
	if why != "" {
		answerText(w, http.StatusBadRequest, "Failed to validate scheduler::Call: "+why)
		return
	}
	if c.Type == scheduler.Call_SUBSCRIBE {
		s.schedulerSubscribe(w, r, &c)
		return
	}
	streamID := r.Header.Get(streamIDHeader)
	s.mu.Lock()
	defer s.mu.Unlock()
	fw := s.frameworks[c.FrameworkID.Value]
	switch {
	case fw == nil:
		answerText(w, http.StatusBadRequest, "Framework cannot be found")
	case fw.sub == nil:
		answerText(w, http.StatusForbidden, "Framework is not subscribed")
	case streamID == "":
		answerText(w, http.StatusBadRequest, "All non-subscribe calls should include the 'Mesos-Stream-Id' header")
	case streamID != fw.streamID:
		answerText(w, http.StatusBadRequest, fmt.Sprintf("The stream ID '%s' included in this request didn't match the stream ID currently associated with framework ID %s", streamID, fw.id))
	default:
		s.schedulerCall(w, r, fw, &c)
	}
}

func (s *server) schedulerSubscribe(w http.ResponseWriter, r *http.Request, c *scheduler.Call) {
	contentType := accepted(w, r)
	if contentType == "" {
		return
	}
	if r.Header.Get(streamIDHeader) != "" {
		answerText(w, http.StatusBadRequest, "Subscribe calls should not include the 'Mesos-Stream-Id' header")
		return
	}
	sub := &subscriber{stream: newStream(), encode: encoder(contentType)}
	streamID := newStreamID()
	w.Header().Set("Content-Type", contentType)
	w.Header().Set(streamIDHeader, streamID)
	fw := s.subscribe(c.Subscribe, sub, streamID)
	sub.serve(w, r)
	if fw != nil {
		s.unsubscribe(fw, sub)
	}
}

// schedulerCall does a subscribed framework's call. Whatever is wrong with it becomes an event, the answer is 202.
func (s *server) schedulerCall(w http.ResponseWriter, r *http.Request, fw *framework, c *scheduler.Call) {
	fw.counters["calls"]++
	fw.counters["calls/"+lower(c.Type.String())]++
	switch c.Type {
	case scheduler.Call_TEARDOWN:
		s.removeFramework(fw)
	case scheduler.Call_ACCEPT:
		s.accept(fw, c.Accept)
	case scheduler.Call_DECLINE:
		s.decline(fw, c.Decline)
	case scheduler.Call_REVIVE:
		s.revive(fw, c.GetRevive().GetRoles())
	case scheduler.Call_SUPPRESS:
		s.suppress(fw, c.GetSuppress().GetRoles())
	case scheduler.Call_KILL:
		s.kill(fw, c.Kill)
	case scheduler.Call_ACKNOWLEDGE:
		s.acknowledge(fw, c.Acknowledge)
	case scheduler.Call_RECONCILE:
		s.reconcile(fw, c.Reconcile)
	case scheduler.Call_UPDATE_FRAMEWORK:
		if why := s.updateFramework(fw, c.UpdateFramework); why != "" {
			answerText(w, http.StatusBadRequest, why)
			return
		}
		// The one call that a real master answers with 200. The Go client takes a 200 only with the type it has asked for.
		if wanted := r.Header.Get("Accept"); wanted == typeJSON || wanted == typeProto {
			w.Header().Set("Content-Type", wanted)
		}
		return
	case scheduler.Call_RECONCILE_OPERATIONS:
		answerText(w, http.StatusNotImplemented, "The stand-in for mesos-master leaves out operations.")
		return
	}
	// SHUTDOWN and MESSAGE speak to executors, of which there are none but the agent's own; REQUEST is ignored by the
	// real allocator too, and there are no inverse offers or operations to answer.
	w.WriteHeader(http.StatusAccepted)
}

// invalidCall is the real master's complaint about the shape of a call, empty when it has none.
func invalidCall(c *scheduler.Call) string {
	if c.Type == scheduler.Call_UNKNOWN {
		return "Expecting 'type' to be present"
	}
	if c.Type == scheduler.Call_SUBSCRIBE {
		switch {
		case c.Subscribe == nil || c.Subscribe.FrameworkInfo == nil:
			return "Expecting 'subscribe' to be present"
		case c.GetFrameworkID().GetValue() != c.Subscribe.FrameworkInfo.GetID().GetValue():
			return "'framework_id' differs from 'subscribe.framework_info.id'"
		}
		return ""
	}
	if c.GetFrameworkID().GetValue() == "" {
		return "Expecting 'framework_id' to be present"
	}
	missing := map[scheduler.Call_Type]bool{
		scheduler.Call_ACCEPT: c.Accept == nil, scheduler.Call_DECLINE: c.Decline == nil, scheduler.Call_KILL: c.Kill == nil,
		scheduler.Call_SHUTDOWN: c.Shutdown == nil, scheduler.Call_ACKNOWLEDGE: c.Acknowledge == nil, scheduler.Call_RECONCILE: c.Reconcile == nil,
		scheduler.Call_MESSAGE: c.Message == nil, scheduler.Call_REQUEST: c.Request == nil, scheduler.Call_UPDATE_FRAMEWORK: c.UpdateFramework == nil,
		scheduler.Call_RECONCILE_OPERATIONS: c.ReconcileOperations == nil, scheduler.Call_ACKNOWLEDGE_OPERATION_STATUS: c.AcknowledgeOperationStatus == nil,
		scheduler.Call_ACCEPT_INVERSE_OFFERS: c.AcceptInverseOffers == nil, scheduler.Call_DECLINE_INVERSE_OFFERS: c.DeclineInverseOffers == nil,
	}
	if missing[c.Type] {
		return fmt.Sprintf("Expecting '%s' to be present", lower(c.Type.String()))
	}
	if c.Type == scheduler.Call_UPDATE_FRAMEWORK && c.UpdateFramework.FrameworkInfo.GetID().GetValue() != c.FrameworkID.Value {
		return "'framework_id' differs from 'update_framework.framework_info.id'"
	}
	return ""
}
