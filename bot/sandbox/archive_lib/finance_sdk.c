/* The local WeCom's chat archive library: the vendor's function signatures over a message cipher of our own.
 *
 * Where the data is says LOCAL_WECOM_ARCHIVE: "http://host:port" of a local WeCom, or "file:/path" of a file with one
 * record a line, `{"seq":N,…}`, ascending; media then lie in "<path>.media/<sdkfileid>", and "<path>.fault" may order a
 * fault: crash | crash_once | hang | eat | code N | errcode N | crash_in_decrypt WORD.
 *
 * Message cipher: base64(nonce[12] || ChaCha20(key, nonce, "WXFS" || text)), key = the random key's 64 hex digits.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAD_PARAMETER 10000
#define NO_NETWORK 10001
#define BAD_ANSWER 10002
#define BAD_FILE_ID 10005
#define CANNOT_DECRYPT 10006
#define BAD_KEY 10008
#define CHUNK (512 * 1024)

typedef struct Slice_t { char *buf; int len; } Slice_t;
typedef struct MediaData { char *outindexbuf; int out_len; char *data; int data_len; int is_finish; } MediaData_t;
typedef struct WeWorkFinanceSdk_t {
    char corp[128], secret[128], host[128], port[16], path[1024];
    int over_http;
    FILE *records;
    unsigned long long served;
} WeWorkFinanceSdk_t;

static int living_slices = 0;
static char fault_path[1100] = "";

/* For tests: how many slices and media objects have not been freed. */
int LivingSlices(void) { return living_slices; }

/* ---- faults ------------------------------------------------------------------------------------------------ */

static int read_fault(char *into, size_t room) {
    FILE *file = fault_path[0] ? fopen(fault_path, "r") : NULL;
    if (!file) return 0;
    char *line = fgets(into, (int)room, file);
    fclose(file);
    if (!line) return 0;
    into[strcspn(into, "\r\n")] = 0;
    return 1;
}

static void crash(void) { volatile int *nowhere = NULL; *nowhere = 1; }

static int suffer(Slice_t *out) {
    char fault[256];
    int number;
    if (!read_fault(fault, sizeof fault)) return 0;
    if (!strcmp(fault, "crash_once")) { unlink(fault_path); crash(); }
    if (!strcmp(fault, "crash")) crash();
    if (!strcmp(fault, "hang")) for (;;) sleep(60);
    if (!strcmp(fault, "eat")) {
        for (;;) { char *more = malloc(16 << 20); memset(more, 1, 16 << 20); }
    }
    if (sscanf(fault, "code %d", &number) == 1) return number;
    if (sscanf(fault, "errcode %d", &number) == 1) {
        out->buf = malloc(128);
        out->len = snprintf(out->buf, 128, "{\"errcode\":%d,\"errmsg\":\"ordered by a test\"}", number);
        return -1;
    }
    return 0;
}

/* ---- base64, ChaCha20 (RFC 8439) ---------------------------------------------------------------------------- */

static int digit64(int c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int from_base64(const char *text, unsigned char *into) {
    unsigned int held = 0;
    int bits = 0, length = 0;
    for (; *text && *text != '='; text++) {
        int value = digit64((unsigned char)*text);
        if (value < 0) return -1;
        held = held << 6 | (unsigned int)value;
        bits += 6;
        if (bits >= 8) { bits -= 8; into[length++] = (unsigned char)(held >> bits); }
    }
    return length;
}

#define TURN(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define QUARTER(a, b, c, d) \
    a += b; d = TURN(d ^ a, 16); c += d; b = TURN(b ^ c, 12); a += b; d = TURN(d ^ a, 8); c += d; b = TURN(b ^ c, 7)

static void chacha20(const unsigned char *key, const unsigned char *nonce, unsigned char *data, int length) {
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, mixed[16];
    memcpy(start + 4, key, 32);
    start[12] = 0;
    memcpy(start + 13, nonce, 12);
    for (int at = 0; at < length; at += 64, start[12]++) {
        memcpy(mixed, start, sizeof mixed);
        for (int round = 0; round < 10; round++) {
            QUARTER(mixed[0], mixed[4], mixed[8], mixed[12]);
            QUARTER(mixed[1], mixed[5], mixed[9], mixed[13]);
            QUARTER(mixed[2], mixed[6], mixed[10], mixed[14]);
            QUARTER(mixed[3], mixed[7], mixed[11], mixed[15]);
            QUARTER(mixed[0], mixed[5], mixed[10], mixed[15]);
            QUARTER(mixed[1], mixed[6], mixed[11], mixed[12]);
            QUARTER(mixed[2], mixed[7], mixed[8], mixed[13]);
            QUARTER(mixed[3], mixed[4], mixed[9], mixed[14]);
        }
        for (int word = 0; word < 16; word++) mixed[word] += start[word];
        const unsigned char *stream = (const unsigned char *)mixed;
        for (int i = 0; i < 64 && at + i < length; i++) data[at + i] ^= stream[i];
    }
}

static int hex_key(const char *text, unsigned char *key) {
    if (strlen(text) != 64) return 0;
    for (int i = 0; i < 32; i++) {
        unsigned int value;
        if (sscanf(text + 2 * i, "%2x", &value) != 1) return 0;
        key[i] = (unsigned char)value;
    }
    return 1;
}

/* ---- one HTTP request ---------------------------------------------------------------------------------------- */

static int connected(WeWorkFinanceSdk_t *sdk, int timeout) {
    struct addrinfo wish = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct timeval patience = {.tv_sec = timeout > 0 ? timeout : 10};
    if (getaddrinfo(sdk->host, sdk->port, &wish, &found)) return -1;
    int line = socket(found->ai_family, found->ai_socktype, 0);
    setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(line, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    int failed = connect(line, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (!failed) return line;
    close(line);
    return -1;
}

/* Posts form and answers the body (to be freed) with its length, NULL when there is no good answer. */
static char *ask(WeWorkFinanceSdk_t *sdk, const char *path, const char *form, int timeout, long *length) {
    int line = connected(sdk, timeout);
    if (line < 0) return NULL;
    char *request = NULL;
    int wanted = asprintf(&request,
        "POST %s HTTP/1.0\r\nHost: %s:%s\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s", path, sdk->host, sdk->port, strlen(form), form);
    int sent = wanted > 0 && send(line, request, (size_t)wanted, MSG_NOSIGNAL) == wanted;
    free(request);
    size_t room = 65536, have = 0;
    char *answer = malloc(room);
    ssize_t got = 0;
    while (sent && (got = recv(line, answer + have, room - have - 1, 0)) > 0) {
        have += (size_t)got;
        if (room - have < 2) answer = realloc(answer, room *= 2);
    }
    close(line);
    answer[have] = 0;
    char *body = strstr(answer, "\r\n\r\n");
    if (!sent || got < 0 || !body || !strstr(answer, " 200 ")) { free(answer); return NULL; }
    *length = (long)(have - (size_t)(body + 4 - answer));
    memmove(answer, body + 4, (size_t)*length + 1);
    return answer;
}

/* ---- the vendor's functions ----------------------------------------------------------------------------------- */

WeWorkFinanceSdk_t *NewSdk(void) { return calloc(1, sizeof(WeWorkFinanceSdk_t)); }

void DestroySdk(WeWorkFinanceSdk_t *sdk) {
    if (sdk && sdk->records) fclose(sdk->records);
    free(sdk);
}

int Init(WeWorkFinanceSdk_t *sdk, const char *corpid, const char *secret) {
    const char *where = getenv("LOCAL_WECOM_ARCHIVE");
    if (!sdk || !where || !corpid[0] || !secret[0]) return BAD_PARAMETER;
    snprintf(sdk->corp, sizeof sdk->corp, "%s", corpid);
    snprintf(sdk->secret, sizeof sdk->secret, "%s", secret);
    printf("INFO local archive library for %s\n", corpid); /* like the vendor's, it writes where it likes */
    fflush(stdout);
    if (!strncmp(where, "file:", 5)) {
        snprintf(sdk->path, sizeof sdk->path, "%s", where + 5);
        snprintf(fault_path, sizeof fault_path, "%s.fault", sdk->path);
        return 0;
    }
    sdk->over_http = 1;
    return sscanf(where, "http://%127[^:/]:%15[0-9]", sdk->host, sdk->port) == 2 ? 0 : BAD_PARAMETER;
}

static int from_file(WeWorkFinanceSdk_t *sdk, unsigned long long after, unsigned int limit, Slice_t *out) {
    char *line = NULL;
    size_t room = 0;
    ssize_t got;
    if (!sdk->records && !(sdk->records = fopen(sdk->path, "r"))) return NO_NETWORK;
    if (after != sdk->served) { rewind(sdk->records); sdk->served = 0; }
    clearerr(sdk->records);
    FILE *page = open_memstream(&out->buf, &room);
    size_t line_room = 0;
    fputs("{\"errcode\":0,\"errmsg\":\"ok\",\"chatdata\":[", page);
    for (unsigned int count = 0; count < limit && (got = getline(&line, &line_room, sdk->records)) > 0;) {
        unsigned long long seq = 0;
        if (sscanf(line, "{\"seq\":%llu", &seq) != 1 || seq <= after) continue;
        if (line[got - 1] == '\n') line[got - 1] = 0;
        fprintf(page, "%s%s", count++ ? "," : "", line);
        sdk->served = seq;
    }
    fputs("]}", page);
    fclose(page);
    free(line);
    out->len = (int)room;
    return 0;
}

int GetChatData(WeWorkFinanceSdk_t *sdk, unsigned long long seq, unsigned int limit, const char *proxy,
                const char *passwd, int timeout, Slice_t *out) {
    if (!sdk || !out || limit == 0 || limit > 1000 || !proxy || !passwd) return BAD_PARAMETER;
    int fault = suffer(out);
    if (fault) return fault > 0 ? fault : 0;
    if (!sdk->over_http) return from_file(sdk, seq, limit, out);
    char form[512];
    long length;
    snprintf(form, sizeof form, "corpid=%s&secret=%s&seq=%llu&limit=%u", sdk->corp, sdk->secret, seq, limit);
    out->buf = ask(sdk, "/sandbox/archive/pull", form, timeout, &length);
    if (!out->buf) return NO_NETWORK;
    out->len = (int)length;
    return 0;
}

int DecryptData(const char *encrypt_key, const char *encrypt_msg, Slice_t *out) {
    unsigned char key[32];
    char fault[256];
    if (!encrypt_key || !encrypt_msg || !out) return BAD_PARAMETER;
    if (!hex_key(encrypt_key, key)) return BAD_KEY;
    unsigned char *data = malloc(strlen(encrypt_msg) + 4);
    int length = from_base64(encrypt_msg, data);
    if (length < 16) { free(data); return CANNOT_DECRYPT; }
    chacha20(key, data, data + 12, length - 12);
    if (memcmp(data + 12, "WXFS", 4)) { free(data); return CANNOT_DECRYPT; }
    out->len = length - 16;
    out->buf = malloc((size_t)out->len + 1);
    memcpy(out->buf, data + 16, (size_t)out->len);
    out->buf[out->len] = 0;
    free(data);
    if (read_fault(fault, sizeof fault) && !strncmp(fault, "crash_in_decrypt ", 17) && strstr(out->buf, fault + 17))
        crash();
    return 0;
}

static int media_of_file(WeWorkFinanceSdk_t *sdk, long offset, const char *file_id, MediaData_t *out) {
    char path[1400];
    struct stat facts;
    snprintf(path, sizeof path, "%s.media/%s", sdk->path, file_id);
    FILE *file = strchr(file_id, '/') ? NULL : fopen(path, "rb");
    if (!file) return BAD_FILE_ID;
    fstat(fileno(file), &facts);
    fseek(file, offset, SEEK_SET);
    out->data = malloc(CHUNK);
    out->data_len = (int)fread(out->data, 1, CHUNK, file);
    fclose(file);
    out->is_finish = offset + out->data_len >= facts.st_size;
    out->out_len = asprintf(&out->outindexbuf, "%ld", offset + out->data_len);
    return 0;
}

int GetMediaData(WeWorkFinanceSdk_t *sdk, const char *indexbuf, const char *file_id, const char *proxy,
                 const char *passwd, int timeout, MediaData_t *out) {
    if (!sdk || !out || !indexbuf || !file_id || !proxy || !passwd) return BAD_PARAMETER;
    Slice_t told = {0};
    int fault = suffer(&told);
    free(told.buf);
    if (fault) return fault > 0 ? fault : BAD_ANSWER;
    long offset = atol(indexbuf);
    if (!sdk->over_http) return media_of_file(sdk, offset, file_id, out);
    char form[2400];
    long length, next = 0;
    int finished = 0, head = 0;
    snprintf(form, sizeof form, "corpid=%s&secret=%s&sdkfileid=%s&offset=%ld", sdk->corp, sdk->secret, file_id, offset);
    char *answer = ask(sdk, "/sandbox/archive/media", form, timeout, &length);
    if (!answer) return NO_NETWORK;
    if (sscanf(answer, "%d %ld\n%n", &finished, &next, &head) != 2 || next < offset) { free(answer); return BAD_FILE_ID; }
    head = (int)(strchr(answer, '\n') + 1 - answer);
    out->is_finish = finished;
    out->data_len = (int)(length - head);
    out->data = malloc((size_t)out->data_len + 1);
    memcpy(out->data, answer + head, (size_t)out->data_len);
    free(answer);
    out->out_len = asprintf(&out->outindexbuf, "%ld", next);
    return 0;
}

/* ---- slices and media objects: each freed once, or the process ends ------------------------------------------ */

Slice_t *NewSlice(void) { living_slices++; return calloc(1, sizeof(Slice_t)); }

void FreeSlice(Slice_t *slice) {
    if (!slice || living_slices-- <= 0) abort();
    free(slice->buf);
    free(slice);
}

char *GetContentFromSlice(Slice_t *slice) { return slice->buf; }
int GetSliceLen(Slice_t *slice) { return slice->len; }
MediaData_t *NewMediaData(void) { living_slices++; return calloc(1, sizeof(MediaData_t)); }

void FreeMediaData(MediaData_t *media) {
    if (!media || living_slices-- <= 0) abort();
    free(media->outindexbuf);
    free(media->data);
    free(media);
}

char *GetOutIndexBuf(MediaData_t *media) { return media->outindexbuf; }
char *GetData(MediaData_t *media) { return media->data; }
int GetIndexLen(MediaData_t *media) { return media->out_len; }
int GetDataLen(MediaData_t *media) { return media->data_len; }
int IsMediaDataFinish(MediaData_t *media) { return media->is_finish; }
