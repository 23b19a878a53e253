package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A stranger is a program that knows nothing of wsstack, as one line of a shell. What it prints
// proves that it has talked to its server, whose name is $HOST.
type stranger struct {
	name  string
	needs string // programs, and the name of a server of startServers, with blanks between them
	line  string
	want  string // regular expression that matches all that the line prints
}

var strangers = []stranger{
	{"curl, HTTP/1.1", "curl nginx", `curl -sS --http1.1 -w '%{http_version}' http://$HOST:$NGINX/text`, `^hello from nginx\n1\.1$`},
	{"curl, HTTP/2", "curl nginx", `curl -sS --http2 --cacert ca.pem -w '%{http_version}' https://$HOST:$TLS/text`, `^hello from nginx\n2$`},
	{"curl, HTTP/3", "curl nginx curl+HTTP3 nginx+http_v3", `curl -sS --http3-only --cacert ca.pem -w '%{http_version}' https://$HOST:$TLS/text`, `^hello from nginx\n3$`},
	{"curl, a megabyte", "curl nginx sha256sum", `curl -sS http://$HOST:$NGINX/large | sha256sum | cut -c1-16; sha256sum <www/large | cut -c1-16`, `^([0-9a-f]{16})\n[0-9a-f]{16}$`},
	{"wget", "wget nginx", `wget -qO- http://$HOST:$NGINX/text`, `^hello from nginx$`},
	{"git", "git", `git clone -q git://$HOST:$GIT/project "$OUT/project" && cat "$OUT/project/file"`, `^hello from git$`},
	{"ssh", "ssh sshd", `head -c 300000 /dev/zero | ssh -F none -i id -o IdentitiesOnly=yes -o UserKnownHostsFile=known -o StrictHostKeyChecking=yes -o HostKeyAlias=server -o LogLevel=ERROR -p $SSHD $USER@$HOST 'wc -c; echo hello from ssh'`, `^300000\nhello from ssh$`},
	{"psql", "psql postgres", `psql -XAt -h $HOST -p $POSTGRES -U test postgres -c 'select 6*7' -c "select length(repeat('x', 1000000))"`, `^42\n1000000$`},
	{"redis-cli", "redis-cli redis-server", `redis-cli -h $HOST -p $REDIS set key value; redis-cli -h $HOST -p $REDIS get key`, `^OK\nvalue$`},
	{"ping", "ping", `ping -c 1 -W 5 10.77.0.1 | grep -o '1 received'; ping -6 -c 1 -W 5 fd77::1 | grep -o '1 received'`, `^1 received\n1 received$`},
	{"dig", "dig", `dig +short web.test A; dig +short web.test AAAA; dig +tcp +short web.test A; dig +short -x 10.77.0.9; dig nowhere.invalid | grep -o NXDOMAIN`, `^10\.77\.0\.9\nfd77::9\n10\.77\.0\.9\nweb\.test\.\nNXDOMAIN$`},
	{"getent", "getent", `getent ahosts web.test | cut -d' ' -f1 | sort -u; getent hosts nowhere.invalid || echo status $?`, `^10\.77\.0\.9\nfd77::9\nstatus 2$`},
	{"iperf3", "iperf3", `iperf3 -c $HOST -p $IPERF3 -n 2M | grep -c receiver; iperf3 -c $HOST -p $IPERF3 -R -n 2M | grep -c receiver`, `^1\n1$`},
	{"wrk", "wrk nginx", `wrk -d 1 -t 1 -c 4 http://$HOST:$NGINX/text | grep -cE 'Requests/sec: *[1-9]|errors'`, `^1$`},
	{"Python", "python3 nginx", `python3 client.py $HOST $NGINX`, `^hello from nginx\n200 200 200$`},
	{"Node", "node nginx redis-server", `node client.js $HOST $NGINX $REDIS`, `^hello from nginx\n\+PONG$`},
}

// pythonClient asks as most programs do, and three times at once in Python's own event loop.
const pythonClient = `import asyncio, sys, urllib.request
host, port = sys.argv[1:]
print(urllib.request.urlopen(f"http://{host}:{port}/text").read().decode(), end="")
async def get():
    r, w = await asyncio.open_connection(host, int(port))
    w.write(b"GET /text HTTP/1.0\r\n\r\n")
    status = (await r.readline()).split()[1].decode()
    await r.read()
    w.close()
    return status
async def main():
    print(*await asyncio.gather(get(), get(), get()))
asyncio.run(main())
`

// nodeClient asks nginx with Node's HTTP, and Redis with a socket.
const nodeClient = `const [host, port, redis] = process.argv.slice(2);
fetch("http://" + host + ":" + port + "/text").then(r => r.text()).then(text => {
  process.stdout.write(text);
  const c = require("net").connect(redis, host, () => c.end("PING\r\n"));
  c.pipe(process.stdout);
});
`

// Programs that know nothing of wsstack reach servers on the machine's loopback: by a way out, and
// by a port of the stack for each server.
func TestStrangers(t *testing.T) {
	requireTUN(t)
	s := startServers(t)
	names := []string{"--host", "web.test=10.77.0.9,fd77::9"}
	forwards := append([]string{"--host", "server.test=10.77.0.1"}, names...)
	for name, port := range s.ports {
		forwards = append(forwards, "--forward", fmt.Sprintf("%d=127.0.0.1:%d", port, port))
		if name == "TLS" { // HTTP/3 is UDP
			forwards = append(forwards, "--forward", fmt.Sprintf("%d/udp=127.0.0.1:%d", port, port))
		}
	}
	for name, flags := range map[string][]string{
		"gateway": append([]string{"--gateway", "--host-loopback", "10.77.0.3", "--host", "server.test=10.77.0.3"}, names...),
		"forward": forwards,
	} {
		t.Run(name, func(t *testing.T) { s.meet(t, flags) })
	}
}

// meet runs all strangers in one network.
func (s *servers) meet(t *testing.T, flags []string) {
	var script strings.Builder
	out := s.folder(t, "out-"+filepath.Base(t.Name()))
	fmt.Fprintf(&script, "cd %s\nexport HOST=server.test OUT=%s\n%s", s.dir, out, s.environment())
	for i, one := range strangers {
		if s.missing(one.needs) == "" {
			fmt.Fprintf(&script, "echo '@@ %d'\n(%s) 2>&1 </dev/null\n", i, one.line)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "wsstack", append(append([]string{"exec"}, flags...), "--", "sh", "-s")...)
	cmd.Stdin = strings.NewReader(script.String())
	cmd.WaitDelay = time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	outputs := map[string]string{}
	for part := range strings.SplitSeq(string(printed), "@@ ") {
		number, text, _ := strings.Cut(part, "\n")
		outputs[number] = strings.TrimSpace(text)
	}
	for i, one := range strangers {
		t.Run(one.name, func(t *testing.T) {
			if missing := s.missing(one.needs); missing != "" {
				t.Skipf("%s isn't installed here", missing)
			}
			got, ran := outputs[fmt.Sprint(i)]
			require.True(t, ran, "it didn't run")
			require.Regexp(t, one.want, got)
			for _, same := range regexp.MustCompile(one.want).FindStringSubmatch(got)[1:] {
				require.Equal(t, 2, strings.Count(got, same), "the same twice")
			}
		})
	}
	// The status of the last one is the script's: what counts is that the network itself is
	// content.
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		t.Error(err)
	}
	require.Empty(t, stderr.String())
}

// A server inside is reached from outside, by a port of this machine's loopback.
func TestStrangers_Publish(t *testing.T) {
	requireTUN(t)
	s := newServers(t)
	if missing := s.missing("nginx curl"); missing != "" {
		t.Skipf("%s isn't installed here", missing)
	}
	s.prepare(t)
	outside, inside := freePort(t), 8080
	s.writeNginx(t, "inside.conf", "0.0.0.0", inside, 8443)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "wsstack", "exec", "--publish", fmt.Sprintf("%d=%d", outside, inside), "--",
		"sh", "-c", fmt.Sprintf("cd %s; nginx -p . -e stderr -c inside.conf & read line; kill $!; wait", s.dir))
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &output, &output, time.Second
	require.NoError(t, cmd.Start())
	got := ""
	for ended := false; got == "" && !ended && ctx.Err() == nil; {
		text, _ := exec.CommandContext(ctx, "curl", "-s", "--noproxy", "*", fmt.Sprintf("http://127.0.0.1:%d/text", outside)).Output()
		got = string(text) // nothing as long as nginx doesn't listen
		_, err := os.Stat(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
		ended = err != nil
	}
	_, _ = io.WriteString(stdin, "end\n")
	require.NoError(t, cmd.Wait(), output.String())
	require.Equal(t, "hello from nginx\n", got)
}

// write writes a file of the servers.
func (s *servers) write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), mode))
}
