package proxy_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"ordergate/test/env"
	"ordergate/test/proxy"
)

// echo is a server that answers each line with "did " and the line, and remembers what it did.
type echo struct {
	address string
	mu      sync.Mutex
	done    []string
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &echo{address: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { e.serve(connection) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return e
}

func (e *echo) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	for lines := bufio.NewScanner(connection); lines.Scan(); {
		e.mu.Lock()
		e.done = append(e.done, lines.Text())
		e.mu.Unlock()
		if _, err := fmt.Fprintf(connection, "did %s\n", lines.Text()); err != nil {
			return
		}
	}
}

func (e *echo) did() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.done
}

// talk is a client's connection to an echo server.
type talk struct {
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, address string) talk {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return talk{connection, bufio.NewReader(connection)}
}

func (c talk) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	answer, err := c.answers.ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

func TestTCPPassesBytesAndOrderlyEnds(t *testing.T) {
	t.Parallel()
	server := newEcho(t)
	p := proxy.TCP(t, server.address)
	client := dial(t, p.Addr())
	answer, err := client.ask("a")
	require.NoError(t, err)
	require.Equal(t, "did a", answer)

	_, err = fmt.Fprint(client, "b")
	require.NoError(t, err)
	require.NoError(t, client.Conn.(*net.TCPConn).CloseWrite())
	rest, err := io.ReadAll(client.answers)
	require.NoError(t, err)
	require.Equal(t, "did b\n", string(rest), "an end of sending must reach the server, and its last words the client")
}

func TestTCPCutEndsWhatStandsAndServesWhatComes(t *testing.T) {
	t.Parallel()
	p := proxy.TCP(t, newEcho(t).address)
	before := []talk{dial(t, p.Addr()), dial(t, p.Addr())}
	for _, client := range before {
		_, err := client.ask("a")
		require.NoError(t, err)
	}
	p.Cut()
	for _, client := range before {
		_, err := client.answers.ReadByte()
		require.ErrorIs(t, err, syscall.ECONNRESET)
	}
	_, err := dial(t, p.Addr()).ask("b")
	require.NoError(t, err)
}

func TestTCPRefuseClosesThePortAndOpensItAgain(t *testing.T) {
	t.Parallel()
	p := proxy.TCP(t, newEcho(t).address)
	address := p.Addr()
	standing := dial(t, address)
	_, err := standing.ask("a")
	require.NoError(t, err)

	p.Refuse(true)
	p.Refuse(true)
	_, err = net.Dial("tcp", address)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	_, err = standing.ask("b")
	require.NoError(t, err)

	p.Refuse(false)
	p.Refuse(false)
	require.Equal(t, address, p.Addr())
	_, err = dial(t, address).ask("c")
	require.NoError(t, err)
}

func TestTCPRefuseAndCutLeaveNoConnection(t *testing.T) {
	t.Parallel()
	p := proxy.TCP(t, newEcho(t).address)
	for range 200 {
		client := dial(t, p.Addr()) // may not be accepted yet
		p.Refuse(true)
		p.Cut()
		require.NoError(t, client.SetDeadline(time.Now().Add(5*time.Second)))
		_, err := client.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		p.Refuse(false)
	}
}

func TestTCPServerThatIsGoneResetsTheClient(t *testing.T) {
	t.Parallel()
	p := proxy.TCP(t, "127.0.0.1:1")
	client, err := net.Dial("tcp", p.Addr())
	if err == nil { // the reset may come before Dial returns, or after
		_, err = client.Read(make([]byte, 1))
		require.NoError(t, client.Close())
	}
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestTCPCutsBeforeWhatIsSent(t *testing.T) {
	t.Parallel()
	server := newEcho(t)
	p := proxy.TCP(t, server.address)
	client, other := dial(t, p.Addr()), dial(t, p.Addr())
	p.CutBefore(proxy.Contains("commit"))

	_, err := client.ask("insert")
	require.NoError(t, err)
	_, err = client.ask("commit")
	require.Error(t, err)
	_, err = other.ask("commit again")
	require.NoError(t, err, "only one connection is cut")
	require.Equal(t, []string{"insert", "commit again"}, server.did())
}

func TestTCPCutsAfterWhatIsSent(t *testing.T) {
	t.Parallel()
	server := newEcho(t)
	p := proxy.TCP(t, server.address)
	client := dial(t, p.Addr())
	p.CutAfter(proxy.Contains("commit"))

	_, err := client.ask("insert")
	require.NoError(t, err)
	answer, err := client.ask("commit")
	require.Error(t, err)
	require.Empty(t, answer)
	require.Equal(t, []string{"insert", "commit"}, server.did())
}

func TestTCPCutThatNeverCameFailsTheTest(t *testing.T) {
	t.Parallel()
	server := newEcho(t)
	require.Len(t, rehearse(func(t testing.TB) {
		proxy.TCP(t, server.address).CutAfter(proxy.Contains("commit"))
	}), 1)
	require.Len(t, rehearse(func(t testing.TB) { proxy.TCP(t, "no port") }), 1)
}

// TestTCPLosesTheAnswerToACommit is what the proxy is for: the database has committed, and its client sees an error.
func TestTCPLosesTheAnswerToACommit(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(testing.TB) string{"mysql": env.MySQL, "mariadb": env.MariaDB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct, err := url.Parse(env.Database(t, server(t)))
			require.NoError(t, err)
			p := proxy.TCP(t, direct.Host)
			open := func(host string) *sql.DB {
				db, err := sql.Open("mysql", direct.User.String()+"@tcp("+host+")"+direct.Path)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, db.Close()) })
				return db
			}
			count := func(db *sql.DB) (n int) {
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM notes").Scan(&n))
				return n
			}
			straight, through := open(direct.Host), open(p.Addr())
			_, err = straight.ExecContext(t.Context(), "CREATE TABLE notes (text VARCHAR(20) NOT NULL)")
			require.NoError(t, err)

			p.CutBefore(proxy.Contains("COMMIT"))
			require.Error(t, insert(t.Context(), through))
			require.Zero(t, count(straight))

			p.CutAfter(proxy.Contains("COMMIT"))
			require.Error(t, insert(t.Context(), through))
			require.Equal(t, 1, count(straight))

			require.NoError(t, insert(t.Context(), through))
			require.Equal(t, 2, count(straight))
		})
	}
}

func insert(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO notes VALUES ('x')"); err != nil {
		return err
	}
	return tx.Commit()
}
