package agent

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/gogo/protobuf/proto"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	pb "github.com/mesos/mesos-go/api/v1/lib/agent"

	"github.com/jomctl/jomctl/internal/standin/edition"
	"github.com/jomctl/jomctl/internal/standin/mesos/wire"
)

const (
	asJSON     = "application/json"
	asProtobuf = "application/x-protobuf"
)

// operator answers /api/v1.
func (a *Agent) operator(w http.ResponseWriter, r *http.Request) {
	content, _ := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		plain(w, http.StatusBadRequest, "Expecting 'Content-Type' to be present")
		return
	}
	var call pb.Call
	switch kind {
	case asJSON:
		if err := wire.DecodeJSON(content, "Call", &call); err != nil {
			plain(w, http.StatusBadRequest, err.Error())
			return
		}
	case asProtobuf:
		if err := proto.Unmarshal(content, &call); err != nil {
			plain(w, http.StatusBadRequest, "Failed to parse body into Call protobuf")
			return
		}
	default:
		plain(w, http.StatusUnsupportedMediaType, fmt.Sprintf("Expecting 'Content-Type' of %s or %s", asJSON, asProtobuf))
		return
	}
	if call.Type == pb.Call_UNKNOWN {
		plain(w, http.StatusBadRequest, "Failed to validate agent::Call: Expecting 'type' to be present")
		return
	}
	accept, ok := accepts(r.Header.Values("Accept"))
	if !ok {
		plain(w, http.StatusNotAcceptable, fmt.Sprintf("Expecting 'Accept' to allow %s or %s", asJSON, asProtobuf))
		return
	}
	response, failed := a.operate(&call)
	if failed != nil {
		plain(w, failed.code, failed.text)
		return
	}
	if accept == asProtobuf {
		content, err := proto.Marshal(response)
		if err != nil {
			plain(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", asProtobuf)
		_, _ = w.Write(content)
		return
	}
	answer(w, r, wire.EncodeJSON(response))
}

func accepts(values []string) (string, bool) {
	list := strings.Split(strings.Join(values, ","), ",")
	if len(values) == 0 {
		return asJSON, true
	}
	for _, one := range list {
		kind, _, err := mime.ParseMediaType(strings.TrimSpace(one))
		if err != nil {
			continue
		}
		switch kind {
		case asJSON, "*/*", "application/*":
			return asJSON, true
		case asProtobuf:
			return asProtobuf, true
		}
	}
	return "", false
}

// refusal is an answer that is no 200.
type refusal struct {
	code int
	text string
}

func (a *Agent) operate(call *pb.Call) (*pb.Response, *refusal) {
	response := &pb.Response{Type: pb.Response_Type(pb.Response_Type_value[call.Type.String()])}
	switch call.Type {
	case pb.Call_GET_HEALTH:
		response.GetHealth = &pb.Response_GetHealth{Healthy: true}
	case pb.Call_GET_FLAGS:
		response.GetFlags = &pb.Response_GetFlags{}
		for name, value := range a.cfg.flags.shown() {
			response.GetFlags.Flags = append(response.GetFlags.Flags, mesos.Flag{Name: name, Value: p(value)})
		}
		sort.Slice(response.GetFlags.Flags, func(i, j int) bool { return response.GetFlags.Flags[i].Name < response.GetFlags.Flags[j].Name })
	case pb.Call_GET_VERSION:
		response.GetVersion = &pb.Response_GetVersion{VersionInfo: mesos.VersionInfo{
			Version: edition.Version(Version), BuildDate: p(buildDate), BuildTime: p(float64(buildTime)), BuildUser: p("standin"), GitSHA: p("standin"),
		}}
	case pb.Call_GET_METRICS:
		response.GetMetrics = &pb.Response_GetMetrics{}
		for name, value := range a.metrics() {
			response.GetMetrics.Metrics = append(response.GetMetrics.Metrics, mesos.Metric{Name: name, Value: p(float64(value))})
		}
		sort.Slice(response.GetMetrics.Metrics, func(i, j int) bool { return response.GetMetrics.Metrics[i].Name < response.GetMetrics.Metrics[j].Name })
	case pb.Call_GET_LOGGING_LEVEL:
		response.GetLoggingLevel = &pb.Response_GetLoggingLevel{}
	case pb.Call_LIST_FILES:
		return a.listFiles(response, call.ListFiles)
	case pb.Call_READ_FILE:
		return a.readFile(response, call.ReadFile)
	case pb.Call_GET_OPERATIONS:
		response.GetOperations = &pb.Response_GetOperations{}
	case pb.Call_GET_RESOURCE_PROVIDERS:
		response.GetResourceProviders = &pb.Response_GetResourceProviders{}
	default:
		if !a.answerState(response, call.Type) {
			return nil, &refusal{http.StatusNotImplemented, "The stand-in for mesos-agent leaves out " + call.Type.String()}
		}
	}
	return response, nil
}

func (a *Agent) listFiles(response *pb.Response, call *pb.Call_ListFiles) (*pb.Response, *refusal) {
	if call == nil {
		return nil, &refusal{http.StatusBadRequest, "Failed to validate agent::Call: Expecting 'list_files' to be present"}
	}
	real, err := a.resolve(call.Path)
	if err != nil {
		return nil, &refusal{http.StatusNotFound, ""}
	}
	list, err := listFolder(real, path.Clean(call.Path))
	if err != nil {
		return nil, &refusal{http.StatusNotFound, ""}
	}
	response.ListFiles = &pb.Response_ListFiles{}
	for _, one := range list {
		response.ListFiles.FileInfos = append(response.ListFiles.FileInfos, mesos.FileInfo{
			Path: one.Path, Nlink: p(int32(one.Nlink)), Size_: p(uint64(one.Size)), Mode: p(one.bits), UID: p(one.UID), GID: p(one.GID),
			Mtime: &mesos.TimeInfo{Nanoseconds: int64(one.Mtime) * int64(time.Second)},
		})
	}
	return response, nil
}

func (a *Agent) readFile(response *pb.Response, call *pb.Call_ReadFile) (*pb.Response, *refusal) {
	if call == nil {
		return nil, &refusal{http.StatusBadRequest, "Failed to validate agent::Call: Expecting 'read_file' to be present"}
	}
	real, err := a.resolve(call.Path)
	if err != nil {
		return nil, &refusal{http.StatusNotFound, ""}
	}
	length := int64(-1)
	if call.Length != nil {
		length = int64(*call.Length)
	}
	data, _, size, err := readPart(real, int64(call.Offset), length)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, err.Error()}
	}
	response.ReadFile = &pb.Response_ReadFile{Size_: uint64(size), Data: data}
	return response, nil
}
