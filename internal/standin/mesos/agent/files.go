package agent

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"
)

// readLimit is the most that one /files/read gives: 16 pages, as the real one.
const readLimit = 16 * 4096

// virtual are the names under which /files shows folders: each sandbox by its path, by its `latest` link and by
// framework and executor; and the log.
func (a *Agent) virtual() map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := map[string]string{}
	add := func(t *task) {
		names[t.sandbox] = t.sandbox
		names[filepath.Join(filepath.Dir(t.sandbox), "latest")] = t.sandbox
		names[fmt.Sprintf("/frameworks/%s/executors/%s/runs/latest", t.framework.info.ID.GetValue(), t.id())] = t.sandbox
	}
	for _, fw := range append(a.liveFrameworks(), a.completed...) {
		for _, t := range fw.completed {
			add(t)
		}
		for _, t := range fw.tasks {
			add(t)
		}
	}
	if a.cfg.flags.has("log_dir") {
		names["/slave/log"] = filepath.Join(a.cfg.flags.get("log_dir"), "mesos-agent.INFO")
	}
	return names
}

func (a *Agent) liveFrameworks() []*framework {
	var list []*framework
	for _, fw := range a.frameworks {
		list = append(list, fw)
	}
	return list
}

// resolve maps a virtual path to a real one that does not lead out of its folder.
func (a *Agent) resolve(asked string) (string, error) {
	clean := path.Clean("/" + asked)
	for name, real := range a.virtual() {
		rest, ok := strings.CutPrefix(clean, name)
		if !ok || rest != "" && rest[0] != '/' {
			continue
		}
		full, err := filepath.EvalSymlinks(filepath.Join(real, rest))
		if err != nil {
			continue
		}
		root, err := filepath.EvalSymlinks(real)
		if err == nil && (full == root || strings.HasPrefix(full, root+"/")) {
			return full, nil
		}
	}
	return "", os.ErrNotExist
}

// asked gives the real path of the query's `path`, or answers.
func (a *Agent) asked(w http.ResponseWriter, r *http.Request) (string, bool) {
	name := r.URL.Query().Get("path")
	if name == "" {
		plain(w, http.StatusBadRequest, "Expecting 'path=value' in query.\n")
		return "", false
	}
	real, err := a.resolve(name)
	if err != nil {
		plain(w, http.StatusNotFound, "")
		return "", false
	}
	return real, true
}

// fileView is one entry of /files/browse.
type fileView struct {
	GID   string `json:"gid"`
	Mode  string `json:"mode"`
	Mtime double `json:"mtime"`
	Nlink uint64 `json:"nlink"`
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	UID   string `json:"uid"`

	bits uint32
}

func (a *Agent) browse(w http.ResponseWriter, r *http.Request) {
	real, ok := a.asked(w, r)
	if !ok {
		return
	}
	list, err := listFolder(real, path.Clean(r.URL.Query().Get("path")))
	if err != nil {
		plain(w, http.StatusNotFound, "")
		return
	}
	reply(w, r, list)
}

func listFolder(real, shown string) ([]fileView, error) {
	entries, err := os.ReadDir(real)
	if err != nil {
		return nil, err
	}
	list := []fileView{}
	for _, entry := range entries {
		info, err := os.Stat(filepath.Join(real, entry.Name()))
		if err != nil {
			continue
		}
		stat := info.Sys().(*syscall.Stat_t)
		list = append(list, fileView{
			Path: path.Join(shown, entry.Name()), Size: info.Size(), Mtime: double(info.ModTime().Unix()), Nlink: uint64(stat.Nlink),
			Mode: modeText(info.Mode()), UID: userName(stat.Uid), GID: groupName(stat.Gid), bits: stat.Mode,
		})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list, nil
}

// modeText is ls's: -rw-r--r--, drwxr-xr-x.
func modeText(mode os.FileMode) string {
	kind := "-"
	switch {
	case mode.IsDir():
		kind = "d"
	case mode&os.ModeSymlink != 0:
		kind = "l"
	case mode&os.ModeNamedPipe != 0:
		kind = "p"
	case mode&os.ModeSocket != 0:
		kind = "s"
	}
	return kind + mode.Perm().String()[1:]
}

func userName(uid uint32) string {
	if found, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		return found.Username
	}
	return strconv.Itoa(int(uid))
}

func groupName(gid uint32) string {
	if found, err := user.LookupGroupId(strconv.Itoa(int(gid))); err == nil {
		return found.Name
	}
	return strconv.Itoa(int(gid))
}

func (a *Agent) read(w http.ResponseWriter, r *http.Request) {
	real, ok := a.asked(w, r)
	if !ok {
		return
	}
	offset, err := number(r, "offset")
	if err != nil {
		plain(w, http.StatusBadRequest, "Failed to parse offset: "+err.Error()+".\n")
		return
	}
	length, err := number(r, "length")
	if err != nil {
		plain(w, http.StatusBadRequest, "Failed to parse length: "+err.Error()+".\n")
		return
	}
	data, at, _, err := readPart(real, offset, length)
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error()+".\n")
		return
	}
	if !utf8.Valid(data) {
		data = []byte(strings.ToValidUTF8(string(data), "\uFFFD"))
	}
	reply(w, r, struct {
		Data   string `json:"data"`
		Offset int64  `json:"offset"`
	}{string(data), at})
}

// number reads a query value; absent is -1.
func number(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return -1, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, words("Failed to convert '%s' to number", text)
	}
	return value, nil
}

// readPart reads from offset; offset -1 gives the size and nothing else, length -1 all up to the limit.
func readPart(name string, offset, length int64) (data []byte, at, size int64, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, 0, words("Failed to open file at '%s': %w", name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, 0, 0, err
	}
	if info.IsDir() {
		return nil, 0, 0, words("Cannot read from a directory")
	}
	size = info.Size()
	if offset < 0 || offset >= size {
		return nil, size, size, nil
	}
	if length < 0 || length > readLimit {
		length = readLimit
	}
	data, err = io.ReadAll(io.NewSectionReader(file, offset, length))
	return data, offset, size, err
}

func (a *Agent) download(w http.ResponseWriter, r *http.Request) {
	real, ok := a.asked(w, r)
	if !ok {
		return
	}
	file, err := os.Open(real)
	if err != nil {
		plain(w, http.StatusNotFound, "")
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		plain(w, http.StatusBadRequest, "Cannot download a directory.\n")
		return
	}
	kind := "application/octet-stream"
	if known := mimes[filepath.Ext(real)]; known != "" {
		kind = known
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", "attachment; filename="+path.Base(real))
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	_, _ = io.CopyN(w, file, info.Size())
}

var mimes = map[string]string{
	".html": "text/html", ".txt": "text/plain", ".json": "application/json", ".css": "text/css", ".js": "application/javascript",
	".xml": "text/xml", ".gz": "application/x-gzip", ".zip": "application/zip", ".png": "image/png",
}

func (a *Agent) debugFiles(w http.ResponseWriter, r *http.Request) { reply(w, r, a.virtual()) }
