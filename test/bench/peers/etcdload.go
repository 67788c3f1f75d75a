// The load generator for etcd, on its own client: told by lines on its standard input, it reports by lines of JSON on its
// standard output. The protocol is described in Generator.ts.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"math/rand"
	"os"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/grpclog"
)

const (
	stride          = 7368787
	fillConcurrency = 64
	// A writer whose node is dead asks the next one after this.
	attempt = 250 * time.Millisecond
)

var (
	value    = strings.Repeat("v", 256)
	elements = int64(1000)
	turns    int64
	mixed    int64
)

func key(n int64) string { return fmt.Sprintf("/bench/key-%07d", n) }

func nextKey() string { return key((atomic.AddInt64(&turns, 1) - 1) * stride % elements) }

func isWrite(operation string) bool {
	return operation == "write" || (operation == "mix" && (atomic.AddInt64(&mixed, 1)-1)%10 == 0)
}

type facts map[string]interface{}

// The event comes first: what begins with it is for the benchmark.
func say(event string, more facts) {
	line := fmt.Sprintf("{\"event\":%q", event)
	if len(more) > 0 {
		rest, err := json.Marshal(more)
		orDie(err)
		line += "," + string(rest[1:])
	} else {
		line += "}"
	}
	fmt.Println(line)
}

func orDie(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcdload:", err)
		os.Exit(1)
	}
}

// The client's own waits between attempts to connect are long; they shall not be what is measured when a node comes back.
func dial(endpoint string) *clientv3.Client {
	soon := backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.2, Jitter: 0.1, MaxDelay: 50 * time.Millisecond}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{endpoint},
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: 2 * time.Second})},
	})
	orDie(err)
	return client
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	orDie(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// Until a write is acknowledged, by any node.
func first(endpoints []string) {
	done := make(chan bool, len(endpoints))
	ctx, cancel := context.WithCancel(context.Background())
	for _, endpoint := range endpoints {
		go func(client *clientv3.Client) {
			defer client.Close()
			for ctx.Err() == nil {
				short, end := context.WithTimeout(ctx, 100*time.Millisecond)
				_, err := client.Put(short, "/first", value)
				end()
				if err == nil {
					done <- true
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
		}(dial(endpoint))
	}
	<-done
	cancel()
	say("written", nil)
}

func fill(endpoints []string, count int64) {
	elements = count
	client := dial(endpoints[0])
	defer client.Close()
	var next int64
	var wait sync.WaitGroup
	for i := 0; i < fillConcurrency; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := atomic.AddInt64(&next, 1) - 1; n < count; n = atomic.AddInt64(&next, 1) - 1 {
				_, err := client.Put(context.Background(), key(n), value)
				orDie(err)
			}
		}()
	}
	wait.Wait()
	say("filled", nil)
}

func call(client *clientv3.Client, operation string) error {
	if isWrite(operation) {
		_, err := client.Put(context.Background(), nextKey(), value)
		return err
	}
	answer, err := client.Get(context.Background(), nextKey())
	if err == nil && len(answer.Kvs) != 1 {
		return fmt.Errorf("an element is missing")
	}
	return err
}

func load(operation string, outstanding, connections int, warm, measure time.Duration, endpoint string) {
	clients := make([]*clientv3.Client, connections)
	for i := range clients {
		clients[i] = dial(endpoint)
	}
	var recording, stopped int32
	var failed int64
	var wait sync.WaitGroup
	latencies := make([][]float64, outstanding)
	for i := 0; i < outstanding; i++ {
		wait.Add(1)
		go func(own *[]float64, client *clientv3.Client) {
			defer wait.Done()
			for atomic.LoadInt32(&stopped) == 0 {
				begun := time.Now()
				err := call(client, operation)
				if atomic.LoadInt32(&recording) == 0 {
					continue
				}
				if err != nil {
					atomic.AddInt64(&failed, 1)
				} else {
					*own = append(*own, time.Since(begun).Seconds()*1e3)
				}
			}
		}(&latencies[i], clients[i%connections])
	}
	time.Sleep(warm)
	cpu, begun := cpuSeconds(), time.Now()
	say("measuring", nil)
	atomic.StoreInt32(&recording, 1)
	time.Sleep(measure)
	atomic.StoreInt32(&recording, 0)
	elapsed, cpu := time.Since(begun).Seconds(), cpuSeconds()-cpu
	say("measured", nil)
	atomic.StoreInt32(&stopped, 1)
	wait.Wait()
	for _, client := range clients {
		client.Close()
	}
	sample(latencies, elapsed, cpu, failed)
}

func sample(latencies [][]float64, elapsed, cpu float64, failed int64) {
	var all []float64
	for _, own := range latencies {
		all = append(all, own...)
	}
	sort.Float64s(all)
	at := func(share float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return all[int(float64(len(all))*share)]
	}
	say("sample", facts{
		"elapsed_s": elapsed, "operations": len(all), "p50_ms": at(0.5), "p99_ms": at(0.99), "p999_ms": at(0.999),
		"generator_cpu_s": cpu, "failed": failed,
	})
}

type writer struct {
	at, gap time.Duration
	through bool
}

// As Outage.ts.
type outage struct {
	sync.Mutex
	begin   time.Time
	at, gap time.Duration
	killed  time.Duration
	writers []writer
	clients []*clientv3.Client
	stopped int32
	wait    sync.WaitGroup
}

const never = time.Duration(1<<63 - 1)

func (o *outage) now() time.Duration { return time.Since(o.begin) }

func (o *outage) watch() {
	o.Lock()
	defer o.Unlock()
	o.gap, o.killed = 0, never
	for i := range o.writers {
		o.writers[i].gap, o.writers[i].through = 0, false
	}
}

func longer(a, b time.Duration) time.Duration {
	if a > b {
		return a
	}
	return b
}

func (o *outage) acknowledged(index int, begun time.Duration) {
	o.Lock()
	defer o.Unlock()
	now, own := o.now(), &o.writers[index]
	o.gap, o.at = longer(o.gap, now-o.at), now
	own.gap, own.at = longer(own.gap, now-own.at), now
	if own.through || begun < o.killed {
		return
	}
	own.through = true
	longest := time.Duration(0)
	for _, each := range o.writers {
		if !each.through {
			return
		}
		longest = longer(longest, each.gap)
	}
	say("outage", facts{"gap_ms": o.gap.Seconds() * 1e3, "writer_gap_ms": longest.Seconds() * 1e3})
}

// Writers are spread over the nodes. One that gets no answer goes to the next node; its patience differs a little each time,
// or all of them would move in step.
func (o *outage) write(index int) {
	defer o.wait.Done()
	random := rand.New(rand.NewSource(int64(index)))
	node := index % len(o.clients)
	for atomic.LoadInt32(&o.stopped) == 0 {
		key, begun := nextKey(), o.now()
		for atomic.LoadInt32(&o.stopped) == 0 {
			patience := time.Duration(float64(attempt) * (0.6 + 0.8*random.Float64()))
			ctx, end := context.WithTimeout(context.Background(), patience)
			_, err := o.clients[node].Put(ctx, key, value)
			end()
			if err == nil {
				o.acknowledged(index, begun)
				break
			}
			node = (node + 1) % len(o.clients)
			time.Sleep(2 * time.Millisecond)
		}
	}
}

func startWriters(endpoints []string, count int) *outage {
	o := &outage{begin: time.Now(), killed: never, writers: make([]writer, count)}
	for _, endpoint := range endpoints {
		o.clients = append(o.clients, dial(endpoint))
	}
	for i := 0; i < count; i++ {
		o.wait.Add(1)
		go o.write(i)
	}
	return o
}

func (o *outage) rest() {
	atomic.StoreInt32(&o.stopped, 1)
	o.wait.Wait()
	for _, client := range o.clients {
		client.Close()
	}
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	orDie(err)
	return n
}

func milliseconds(word string) time.Duration {
	ms, err := strconv.ParseFloat(word, 64)
	orDie(err)
	return time.Duration(ms * 1e6)
}

func main() {
	// The generator has memory enough: it shall not spend its time on collecting.
	debug.SetGCPercent(400)
	silent := grpclog.NewLoggerV2(ioutil.Discard, ioutil.Discard, ioutil.Discard)
	grpclog.SetLoggerV2(silent)
	clientv3.SetLogger(silent)
	endpoints := os.Args[1:]
	var o *outage
	say("ready", nil)
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		words := strings.Fields(input.Text())
		switch words[0] {
		case "first":
			first(endpoints)
		case "fill":
			fill(endpoints, int64(number(words[1])))
		case "load":
			load(words[1], number(words[2]), number(words[3]), milliseconds(words[5]), milliseconds(words[6]), words[7])
		case "writers":
			o = startWriters(endpoints, number(words[1]))
			say("writing", nil)
		case "watch":
			o.watch()
			say("watching", nil)
		case "killed":
			o.Lock()
			o.killed = o.now()
			o.Unlock()
		case "rest":
			o.rest()
			say("resting", nil)
		default:
			orDie(fmt.Errorf("no such command: %q", input.Text()))
		}
	}
}
