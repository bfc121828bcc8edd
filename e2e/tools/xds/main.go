// Serves the Envoys of a test what lies in a folder, over xDS as an own control plane would: go-control-plane, on one
// aggregated stream. Each *.json of the folder has the form of Envoy's own files, {"resources": [{"@type": …}, …]}. What
// changes there is served within some milliseconds.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// How often the folder is read.
const pause = 10 * time.Millisecond

func main() {
	listen := flag.String("listen", "", "address and port to serve on")
	folder := flag.String("folder", "", "where the resources are")
	node := flag.String("node", "", "the id of the one Envoy that is served")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *folder, *node); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, listen, folder, node string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	snapshots := cache.NewSnapshotCache(true, cache.IDHash{}, nil)
	service := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(service, server.NewServer(ctx, snapshots, nil))
	go func() {
		<-ctx.Done()
		service.Stop()
	}()
	go follow(ctx, snapshots, folder, node)
	return service.Serve(listener)
}

// follow keeps the snapshot equal to the folder. A folder that cannot be served is said once, and the last good stays.
func follow(ctx context.Context, snapshots cache.SnapshotCache, folder, node string) {
	var last, said string
	for ctx.Err() == nil {
		texts, digest, err := read(folder)
		if err == nil && digest != last {
			var snapshot *cache.Snapshot
			if snapshot, err = parse(texts); err == nil {
				err = snapshots.SetSnapshot(ctx, node, snapshot)
			}
			if err == nil {
				last, said = digest, ""
			}
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			log.Print(said)
		}
		time.Sleep(pause)
	}
}

func read(folder string) (texts map[string][]byte, digest string, err error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, "", err
	}
	texts, hash := map[string][]byte{}, sha256.New()
	for _, name := range names {
		if texts[name], err = os.ReadFile(name); err != nil {
			return nil, "", err
		}
		fmt.Fprintf(hash, "%s %d ", name, len(texts[name]))
		hash.Write(texts[name])
	}
	return texts, hex.EncodeToString(hash.Sum(nil)), nil
}

// parse makes a snapshot in which a kind of resource has a new version when one of its resources has changed.
func parse(texts map[string][]byte) (*cache.Snapshot, error) {
	byType := map[string][]types.Resource{}
	digests := map[string][]string{}
	for name, text := range texts {
		var file struct{ Resources []json.RawMessage }
		if err := json.Unmarshal(text, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, text := range file.Resources {
			var wrapped anypb.Any
			if err := protojson.Unmarshal(text, &wrapped); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			message, err := wrapped.UnmarshalNew()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			byType[wrapped.TypeUrl] = append(byType[wrapped.TypeUrl], message)
			digest := sha256.Sum256(text)
			digests[wrapped.TypeUrl] = append(digests[wrapped.TypeUrl], hex.EncodeToString(digest[:]))
		}
	}
	snapshot := &cache.Snapshot{}
	for url, resources := range byType {
		kind := cache.GetResponseType(url)
		if kind == types.UnknownType {
			return nil, fmt.Errorf("%s is nothing that is discovered", url)
		}
		slices.Sort(digests[url])
		version := sha256.Sum256([]byte(fmt.Sprint(digests[url])))
		snapshot.Resources[kind] = cache.NewResources(hex.EncodeToString(version[:8]), resources)
	}
	return snapshot, nil
}
