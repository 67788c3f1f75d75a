import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;

/**
 * The load generator for ZooKeeper, on its own asynchronous client: told by lines on its standard input, it reports by
 * lines of JSON on its standard output. The protocol is described in Generator.ts.
 */
final class ZooKeeperLoad {
  private static final long STRIDE = 7_368_787;
  private static final int FILL_CONCURRENCY = 64;
  private static final int SESSION_MS = 10_000;
  private static final byte[] VALUE = new byte[256];

  private static String[] endpoints;
  private static String[] paths = new String[0];
  private static final AtomicLong turns = new AtomicLong();
  private static final AtomicLong mixed = new AtomicLong();

  private static String nextPath() {
    return paths[(int) (turns.getAndIncrement() * STRIDE % paths.length)];
  }

  private static boolean isWrite(String operation) {
    return operation.equals("write") || (operation.equals("mix") && mixed.getAndIncrement() % 10 == 0);
  }

  private static synchronized void say(String event, String facts) {
    System.out.println("{\"event\":\"" + event + "\"" + facts + "}");
    System.out.flush();
  }

  /** Several hosts, separated by commas, or one. */
  private static ZooKeeper connect(String hosts) throws Exception {
    CountDownLatch connected = new CountDownLatch(1);
    ZooKeeper client = new ZooKeeper(hosts, SESSION_MS, event -> {
      if (event.getState() == Watcher.Event.KeeperState.SyncConnected) connected.countDown();
    });
    if (!connected.await(30, TimeUnit.SECONDS)) throw new IllegalStateException("no connection to " + hosts);
    return client;
  }

  private static void create(ZooKeeper client, String path) throws Exception {
    try {
      client.create(path, VALUE, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    } catch (KeeperException.NodeExistsException earlierAttempt) {
      // Its answer was lost, or another thread was faster.
    }
  }

  /** Whether a node says that it serves, asked before a session is: a client that is refused would wait for a second. */
  private static boolean serves(String endpoint) {
    int colon = endpoint.lastIndexOf(':');
    try (var socket = new java.net.Socket(endpoint.substring(0, colon), Integer.parseInt(endpoint.substring(colon + 1)))) {
      socket.setSoTimeout(500);
      socket.getOutputStream().write("srvr".getBytes());
      return new String(socket.getInputStream().readAllBytes()).contains("Mode: ");
    } catch (java.io.IOException notYet) {
      return false;
    }
  }

  /** Until a write is acknowledged, by any node. */
  private static void first() throws Exception {
    CountDownLatch written = new CountDownLatch(1);
    for (String endpoint : endpoints) {
      Thread thread = new Thread(() -> {
        while (written.getCount() > 0) {
          try {
            if (!serves(endpoint)) {
              Thread.sleep(5);
              continue;
            }
            ZooKeeper client = connect(endpoint);
            create(client, "/first");
            written.countDown();
            client.close();
          } catch (Exception notYet) {
            // The next attempt, or another node.
          }
        }
      });
      thread.setDaemon(true);
      thread.start();
    }
    written.await();
    say("written", "");
  }

  private static void fill(int count) throws Exception {
    ZooKeeper client = connect(endpoints[0]);
    create(client, "/bench");
    Semaphore free = new Semaphore(FILL_CONCURRENCY);
    AtomicInteger refused = new AtomicInteger();
    paths = new String[count];
    for (int i = 0; i < count; i++) {
      paths[i] = String.format("/bench/key-%07d", i);
      free.acquire();
      client.create(paths[i], VALUE, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (code, path, context, name) -> {
        if (code != 0) refused.incrementAndGet();
        free.release();
      }, null);
    }
    free.acquire(FILL_CONCURRENCY);
    client.close();
    if (refused.get() > 0) throw new IllegalStateException(refused.get() + " elements were not created");
    say("filled", "");
  }

  /** Latencies of one session, all of them; its callbacks have one thread. */
  private static final class Latencies {
    double[] milliseconds = new double[1 << 14];
    int count = 0;

    void add(double ms) {
      if (count == milliseconds.length) milliseconds = Arrays.copyOf(milliseconds, 2 * count);
      milliseconds[count++] = ms;
    }
  }

  private static final class Load {
    volatile boolean recording = false;
    volatile boolean stopped = false;
    final String operation;
    final AtomicLong failed = new AtomicLong();
    final Semaphore ended = new Semaphore(0);

    Load(String operation) {
      this.operation = operation;
    }

    /** A call, and the next one once it is answered. */
    void next(ZooKeeper client, Latencies latencies) {
      if (stopped) {
        ended.release();
        return;
      }
      String path = nextPath();
      long begun = System.nanoTime();
      if (isWrite(operation)) {
        client.setData(path, VALUE, -1, (code, p, context, stat) -> answered(client, latencies, begun, code), null);
        return;
      }
      // What is asked on one session is answered in order: the read sees all that the sync waited for.
      client.sync(path, (code, p, context) -> {
        if (code != 0) failed.incrementAndGet();
      }, null);
      client.getData(path, false, (code, p, context, data, stat) -> answered(client, latencies, begun, code), null);
    }

    private void answered(ZooKeeper client, Latencies latencies, long begun, int code) {
      if (code != 0) failed.incrementAndGet();
      else if (recording) latencies.add((System.nanoTime() - begun) / 1e6);
      next(client, latencies);
    }
  }

  private static double cpuSeconds() {
    var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return system.getProcessCpuTime() / 1e9;
  }

  private static void load(String operation, int outstanding, int connections, long warm, long measure, String endpoint)
      throws Exception {
    Load load = new Load(operation);
    List<ZooKeeper> clients = new ArrayList<>();
    List<Latencies> latencies = new ArrayList<>();
    for (int i = 0; i < connections; i++) {
      clients.add(connect(endpoint));
      latencies.add(new Latencies());
    }
    for (int i = 0; i < outstanding; i++) load.next(clients.get(i % connections), latencies.get(i % connections));
    Thread.sleep(warm);
    double cpu = cpuSeconds();
    long begun = System.nanoTime();
    say("measuring", "");
    load.recording = true;
    Thread.sleep(measure);
    load.recording = false;
    double elapsed = (System.nanoTime() - begun) / 1e9;
    double used = cpuSeconds() - cpu;
    say("measured", "");
    load.stopped = true;
    load.ended.acquire(outstanding);
    for (ZooKeeper client : clients) client.close();
    sample(latencies, elapsed, used, load.failed.get());
  }

  private static void sample(List<Latencies> latencies, double elapsed, double cpu, long failed) {
    double[] all = new double[latencies.stream().mapToInt(each -> each.count).sum()];
    int at = 0;
    for (Latencies each : latencies) {
      System.arraycopy(each.milliseconds, 0, all, at, each.count);
      at += each.count;
    }
    Arrays.sort(all);
    say("sample", String.format(Locale.ROOT, ",\"elapsed_s\":%f,\"operations\":%d,\"p50_ms\":%f,\"p99_ms\":%f,\"p999_ms\":%f"
        + ",\"generator_cpu_s\":%f,\"failed\":%d", elapsed, all.length, share(all, 0.5), share(all, 0.99), share(all, 0.999), cpu, failed));
  }

  private static double share(double[] sorted, double share) {
    return sorted.length == 0 ? 0 : sorted[(int) (sorted.length * share)];
  }

  /** As Outage.ts: writers, each with a session of its own, while a node is killed. */
  private static final class Outage {
    private final ScheduledExecutorService later = Executors.newScheduledThreadPool(1);
    private final List<ZooKeeper> clients = new ArrayList<>();
    private final Semaphore ended = new Semaphore(0);
    private final long[] writerAt;
    private final long[] writerGap;
    private final boolean[] through;
    private long at = System.nanoTime();
    private long gap = 0;
    private long killed = Long.MAX_VALUE;
    private volatile boolean stopped = false;

    /** Writers are spread over the nodes, and the client moves them to others by itself. */
    Outage(int writers) throws Exception {
      writerAt = new long[writers];
      writerGap = new long[writers];
      through = new boolean[writers];
      for (int i = 0; i < writers; i++) {
        String[] turned = new String[endpoints.length];
        for (int j = 0; j < turned.length; j++) turned[j] = endpoints[(i + j) % endpoints.length];
        clients.add(connect(String.join(",", turned)));
      }
      Arrays.fill(writerAt, System.nanoTime());
      for (int i = 0; i < writers; i++) write(i, System.nanoTime());
    }

    private void write(int index, long begun) {
      if (stopped) {
        ended.release();
        return;
      }
      clients.get(index).setData(nextPath(), VALUE, -1, (code, path, context, stat) -> {
        if (code == 0) {
          acknowledged(index, begun);
          write(index, System.nanoTime());
        } else {
          later.schedule(() -> write(index, begun), 2, TimeUnit.MILLISECONDS);
        }
      }, null);
    }

    synchronized void watch() {
      gap = 0;
      killed = Long.MAX_VALUE;
      Arrays.fill(writerGap, 0);
      Arrays.fill(through, false);
    }

    synchronized void killed() {
      killed = System.nanoTime();
    }

    private synchronized void acknowledged(int index, long begun) {
      long now = System.nanoTime();
      gap = Math.max(gap, now - at);
      at = now;
      writerGap[index] = Math.max(writerGap[index], now - writerAt[index]);
      writerAt[index] = now;
      if (through[index] || killed == Long.MAX_VALUE || begun < killed) return;
      through[index] = true;
      for (boolean each : through) if (!each) return;
      long longest = Arrays.stream(writerGap).max().orElse(0);
      say("outage", String.format(Locale.ROOT, ",\"gap_ms\":%f,\"writer_gap_ms\":%f", gap / 1e6, longest / 1e6));
    }

    void rest() throws Exception {
      stopped = true;
      ended.acquire(clients.size());
      later.shutdown();
      for (ZooKeeper client : clients) client.close();
    }
  }

  public static void main(String[] arguments) throws Exception {
    endpoints = arguments;
    Arrays.fill(VALUE, (byte) 'v');
    Outage outage = null;
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    say("ready", "");
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "first" -> first();
        case "fill" -> fill(Integer.parseInt(words[1]));
        case "load" -> load(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]),
            Math.round(Double.parseDouble(words[5])), Math.round(Double.parseDouble(words[6])), words[7]);
        case "writers" -> {
          outage = new Outage(Integer.parseInt(words[1]));
          say("writing", "");
        }
        case "watch" -> {
          outage.watch();
          say("watching", "");
        }
        case "killed" -> outage.killed();
        case "rest" -> {
          outage.rest();
          say("resting", "");
        }
        default -> throw new IllegalArgumentException("no such command: " + line);
      }
    }
    System.exit(0);
  }
}
