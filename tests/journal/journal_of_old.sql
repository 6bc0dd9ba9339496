-- What pg_dump tells of journal_of_old.db's rows in tables that the same code made on PostgreSQL.
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.assets (
    id integer NOT NULL,
    path character varying NOT NULL,
    attempt integer NOT NULL,
    output character varying NOT NULL,
    sha256 character varying(64) NOT NULL,
    came_as character varying(64) NOT NULL,
    sidecar text NOT NULL,
    number integer DEFAULT 1 NOT NULL,
    forgotten_at character varying
);
CREATE SEQUENCE public.assets_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.assets_id_seq OWNED BY public.assets.id;
CREATE TABLE public.attempts (
    id integer NOT NULL,
    key character varying(64) NOT NULL,
    number integer NOT NULL,
    account character varying NOT NULL,
    state character varying NOT NULL,
    owner character varying,
    remote_id character varying,
    echo character varying(64),
    campaign character varying DEFAULT ''::character varying NOT NULL,
    run character varying DEFAULT ''::character varying NOT NULL,
    labels text DEFAULT '{}'::text NOT NULL,
    origin text DEFAULT '{}'::text NOT NULL,
    price double precision,
    charged double precision,
    unit character varying NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    intended_at character varying NOT NULL,
    asked_at character varying,
    bound_at character varying,
    ended_at character varying,
    reserved double precision,
    used double precision,
    used_at character varying,
    planned double precision,
    reported boolean DEFAULT false NOT NULL,
    key_print character varying(16),
    block character varying DEFAULT ''::character varying NOT NULL,
    last_answer text,
    CONSTRAINT charged_is_an_amount CHECK (((charged >= (0)::double precision) AND (charged <= (1000000000000.0)::double precision))),
    CONSTRAINT planned_is_an_amount CHECK (((planned >= (0)::double precision) AND (planned <= (1000000000000.0)::double precision))),
    CONSTRAINT price_is_an_amount CHECK (((price >= (0)::double precision) AND (price <= (1000000000000.0)::double precision))),
    CONSTRAINT reserved_is_an_amount CHECK (((reserved >= (0)::double precision) AND (reserved <= (1000000000000.0)::double precision)))
);
CREATE SEQUENCE public.attempts_id_seq1
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.attempts_id_seq1 OWNED BY public.attempts.id;
CREATE TABLE public.balances (
    account character varying NOT NULL,
    seen_at character varying NOT NULL,
    balance double precision NOT NULL,
    charged double precision NOT NULL,
    open double precision NOT NULL
);
CREATE TABLE public.caps (
    account character varying NOT NULL,
    scope character varying(16) NOT NULL,
    amount double precision NOT NULL,
    unit character varying DEFAULT 'credits'::character varying NOT NULL
);
CREATE TABLE public.holds (
    account character varying NOT NULL,
    reason text NOT NULL,
    held_at character varying NOT NULL,
    released_at character varying
);
CREATE TABLE public.interests (
    attempt integer NOT NULL,
    run character varying NOT NULL,
    owner character varying NOT NULL,
    since character varying NOT NULL
);
CREATE TABLE public.owners (
    name character varying(64) NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.submissions (
    key character varying(64) NOT NULL,
    account character varying NOT NULL,
    operation character varying NOT NULL,
    request text NOT NULL,
    take integer NOT NULL,
    created_at character varying NOT NULL
);
CREATE TABLE public.uses (
    key character varying(64) NOT NULL,
    campaign character varying NOT NULL,
    step character varying NOT NULL,
    labels text DEFAULT '{}'::text NOT NULL,
    since character varying NOT NULL
);
ALTER TABLE ONLY public.assets ALTER COLUMN id SET DEFAULT nextval('public.assets_id_seq'::regclass);
ALTER TABLE ONLY public.attempts ALTER COLUMN id SET DEFAULT nextval('public.attempts_id_seq1'::regclass);
INSERT INTO public.alembic_version (version_num) VALUES ('0005');
INSERT INTO public.assets (id, path, attempt, output, sha256, came_as, sidecar, number, forgotten_at) VALUES (1, 'launch/stored/output_image.png', 1, 'output_image', 'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd', 'abababababababababababababababababababababababababababababababab', '{"genmedia": "0.1.0", "sidecar": 1, "file": {"path": "launch/stored/output_image.png", "sha256": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd", "original_sha256": "abababababababababababababababababababababababababababababababab"}}', 1, NULL);
INSERT INTO public.attempts (id, key, number, account, state, owner, remote_id, echo, campaign, run, labels, origin, price, charged, unit, reason, intended_at, asked_at, bound_at, ended_at, reserved, used, used_at, planned, reported, key_print, block, last_answer) VALUES (1, '0101010101010101010101010101010101010101010101010101010101010101', 1, 'flora|https://app.flora.ai|studio', 'stored', NULL, 'run_1', NULL, 'launch', 'run-1', '{"client": "acme"}', '{"step": "stored", "inputs": [{"id": "input_image", "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "from": "photos/cup.jpg"}], "place": []}', 3, 3, 'credits', '', '2026-11-29T00:10:55.608000+00:00', '2026-11-29T00:10:55.434899+00:00', '2026-11-29T00:10:55.619+00:00', '2026-11-29T00:10:55.630+00:00', 3, NULL, NULL, NULL, false, '0123456789abcdef', 'studio', NULL);
INSERT INTO public.attempts (id, key, number, account, state, owner, remote_id, echo, campaign, run, labels, origin, price, charged, unit, reason, intended_at, asked_at, bound_at, ended_at, reserved, used, used_at, planned, reported, key_print, block, last_answer) VALUES (2, '0202020202020202020202020202020202020202020202020202020202020202', 1, 'flora|https://app.flora.ai|studio', 'bound', NULL, 'run_2', NULL, 'launch', 'run-1', '{"client": "acme"}', '{"step": "running", "inputs": [{"id": "input_image", "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "from": "photos/cup.jpg"}], "place": []}', 3, NULL, 'credits', '', '2026-11-29T00:10:55.639000+00:00', '2026-11-29T00:10:55.635874+00:00', '2026-11-29T00:10:55.648+00:00', NULL, 3, NULL, NULL, NULL, false, '0123456789abcdef', 'studio', NULL);
INSERT INTO public.attempts (id, key, number, account, state, owner, remote_id, echo, campaign, run, labels, origin, price, charged, unit, reason, intended_at, asked_at, bound_at, ended_at, reserved, used, used_at, planned, reported, key_print, block, last_answer) VALUES (3, '0303030303030303030303030303030303030303030303030303030303030303', 1, 'flora|https://app.flora.ai|studio', 'in_doubt', NULL, NULL, NULL, 'launch', 'run-1', '{"client": "acme"}', '{"step": "in doubt", "inputs": [{"id": "input_image", "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "from": "photos/cup.jpg"}], "place": []}', 3, NULL, 'credits', 'gave no answer', '2026-11-29T00:10:55.654000+00:00', '2026-11-29T00:10:55.649044+00:00', NULL, NULL, 3, NULL, NULL, NULL, false, NULL, '', NULL);
INSERT INTO public.attempts (id, key, number, account, state, owner, remote_id, echo, campaign, run, labels, origin, price, charged, unit, reason, intended_at, asked_at, bound_at, ended_at, reserved, used, used_at, planned, reported, key_print, block, last_answer) VALUES (4, '0404040404040404040404040404040404040404040404040404040404040404', 1, 'flora|https://app.flora.ai|studio', 'failed', NULL, 'run_4', NULL, 'launch', 'run-1', '{"client": "acme"}', '{"step": "failed", "inputs": [{"id": "input_image", "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "from": "photos/cup.jpg"}], "place": []}', 3, NULL, 'credits', 'internal error', '2026-11-29T00:10:55.666000+00:00', '2026-11-29T00:10:55.662346+00:00', '2026-11-29T00:10:55.674+00:00', '2026-11-29T00:10:55.676+00:00', 3, NULL, NULL, NULL, false, '0123456789abcdef', 'studio', NULL);
INSERT INTO public.attempts (id, key, number, account, state, owner, remote_id, echo, campaign, run, labels, origin, price, charged, unit, reason, intended_at, asked_at, bound_at, ended_at, reserved, used, used_at, planned, reported, key_print, block, last_answer) VALUES (5, '0404040404040404040404040404040404040404040404040404040404040404', 2, 'flora|https://app.flora.ai|studio', 'bound', NULL, 'run_5', NULL, 'launch', 'run-1', '{"client": "acme"}', '{"step": "failed", "inputs": [{"id": "input_image", "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "from": "photos/cup.jpg"}], "place": []}', 3, NULL, 'credits', '', '2026-11-29T00:10:55.684000+00:00', '2026-11-29T00:10:55.680409+00:00', '2026-11-29T00:10:55.691+00:00', NULL, 3, NULL, NULL, NULL, false, '0123456789abcdef', 'studio', NULL);
INSERT INTO public.attempts (id, key, number, account, state, owner, remote_id, echo, campaign, run, labels, origin, price, charged, unit, reason, intended_at, asked_at, bound_at, ended_at, reserved, used, used_at, planned, reported, key_print, block, last_answer) VALUES (6, '0606060606060606060606060606060606060606060606060606060606060606', 1, 'flora|https://app.flora.ai|studio', 'content_refused', NULL, NULL, NULL, 'launch', 'run-1', '{"client": "acme"}', '{"step": "refused", "inputs": [{"id": "input_image", "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "from": "photos/cup.jpg"}], "place": []}', 3, 0, 'credits', 'blocked', '2026-11-29T00:10:55.695000+00:00', '2026-11-29T00:10:55.692262+00:00', NULL, '2026-11-29T00:10:55.703+00:00', 3, NULL, NULL, NULL, false, NULL, '', NULL);
INSERT INTO public.attempts (id, key, number, account, state, owner, remote_id, echo, campaign, run, labels, origin, price, charged, unit, reason, intended_at, asked_at, bound_at, ended_at, reserved, used, used_at, planned, reported, key_print, block, last_answer) VALUES (7, '0707070707070707070707070707070707070707070707070707070707070707', 1, 'flora|https://app.flora.ai|studio', 'bound', NULL, 'run_7', NULL, 'launch', 'run-1', '{"client": "acme"}', '{"step": "unpriced", "inputs": [{"id": "input_image", "sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "from": "photos/cup.jpg"}], "place": []}', NULL, NULL, 'credits', '', '2026-11-29T00:10:55.708000+00:00', '2026-11-29T00:10:55.704482+00:00', '2026-11-29T00:10:55.715+00:00', NULL, NULL, NULL, NULL, NULL, false, '0123456789abcdef', 'studio', NULL);
INSERT INTO public.balances (account, seen_at, balance, charged, open) VALUES ('flora|https://app.flora.ai|studio', '2026-11-29T00:10:55.723000+00:00', 97, 3, 12);
INSERT INTO public.caps (account, scope, amount, unit) VALUES ('flora|https://app.flora.ai|studio', 'day', 100, 'credits');
INSERT INTO public.caps (account, scope, amount, unit) VALUES ('flora|https://app.flora.ai|studio', 'campaign', 50, 'credits');
INSERT INTO public.holds (account, reason, held_at, released_at) VALUES ('flora|https://app.flora.ai|studio', 'a person held it', '2026-11-29T00:10:55.726+00:00', NULL);
INSERT INTO public.interests (attempt, run, owner, since) VALUES (1, 'run-1', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.614+00:00');
INSERT INTO public.interests (attempt, run, owner, since) VALUES (1, 'run-2', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.622+00:00');
INSERT INTO public.interests (attempt, run, owner, since) VALUES (2, 'run-1', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.644+00:00');
INSERT INTO public.interests (attempt, run, owner, since) VALUES (3, 'run-1', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.657+00:00');
INSERT INTO public.interests (attempt, run, owner, since) VALUES (4, 'run-1', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.669+00:00');
INSERT INTO public.interests (attempt, run, owner, since) VALUES (5, 'run-1', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.687+00:00');
INSERT INTO public.interests (attempt, run, owner, since) VALUES (6, 'run-1', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.699+00:00');
INSERT INTO public.interests (attempt, run, owner, since) VALUES (7, 'run-1', 'db6ed4789be64f1fa996481422a0c2b1', '2026-11-29T00:10:55.712+00:00');
INSERT INTO public.submissions (key, account, operation, request, take, created_at) VALUES ('0101010101010101010101010101010101010101010101010101010101010101', 'flora|https://app.flora.ai|studio', 'technique studio-blur', '{"technique": "studio-blur", "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "preparation": "none"}}]}', 1, '2026-11-29T00:10:55.608000+00:00');
INSERT INTO public.submissions (key, account, operation, request, take, created_at) VALUES ('0202020202020202020202020202020202020202020202020202020202020202', 'flora|https://app.flora.ai|studio', 'technique studio-blur', '{"technique": "studio-blur", "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "preparation": "none"}}]}', 1, '2026-11-29T00:10:55.639000+00:00');
INSERT INTO public.submissions (key, account, operation, request, take, created_at) VALUES ('0303030303030303030303030303030303030303030303030303030303030303', 'flora|https://app.flora.ai|studio', 'technique studio-blur', '{"technique": "studio-blur", "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "preparation": "none"}}]}', 1, '2026-11-29T00:10:55.654000+00:00');
INSERT INTO public.submissions (key, account, operation, request, take, created_at) VALUES ('0404040404040404040404040404040404040404040404040404040404040404', 'flora|https://app.flora.ai|studio', 'technique studio-blur', '{"technique": "studio-blur", "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "preparation": "none"}}]}', 1, '2026-11-29T00:10:55.666000+00:00');
INSERT INTO public.submissions (key, account, operation, request, take, created_at) VALUES ('0606060606060606060606060606060606060606060606060606060606060606', 'flora|https://app.flora.ai|studio', 'technique studio-blur', '{"technique": "studio-blur", "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "preparation": "none"}}]}', 1, '2026-11-29T00:10:55.695000+00:00');
INSERT INTO public.submissions (key, account, operation, request, take, created_at) VALUES ('0707070707070707070707070707070707070707070707070707070707070707', 'flora|https://app.flora.ai|studio', 'technique studio-blur', '{"technique": "studio-blur", "inputs": [{"id": "input_image", "type": "imageUrl", "file": {"sha256": "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef", "preparation": "none"}}]}', 1, '2026-11-29T00:10:55.708000+00:00');
INSERT INTO public.uses (key, campaign, step, labels, since) VALUES ('0101010101010101010101010101010101010101010101010101010101010101', 'launch', 'stored', '{"client": "acme"}', '2026-11-29T00:10:55.613072+00:00');
INSERT INTO public.uses (key, campaign, step, labels, since) VALUES ('0101010101010101010101010101010101010101010101010101010101010101', 'relaunch', 'again', '{"client": "zenith"}', '2026-11-29T00:10:55.634918+00:00');
INSERT INTO public.uses (key, campaign, step, labels, since) VALUES ('0202020202020202020202020202020202020202020202020202020202020202', 'launch', 'running', '{"client": "acme"}', '2026-11-29T00:10:55.642353+00:00');
INSERT INTO public.uses (key, campaign, step, labels, since) VALUES ('0303030303030303030303030303030303030303030303030303030303030303', 'launch', 'in doubt', '{"client": "acme"}', '2026-11-29T00:10:55.656958+00:00');
INSERT INTO public.uses (key, campaign, step, labels, since) VALUES ('0404040404040404040404040404040404040404040404040404040404040404', 'launch', 'failed', '{"client": "acme"}', '2026-11-29T00:10:55.669210+00:00');
INSERT INTO public.uses (key, campaign, step, labels, since) VALUES ('0606060606060606060606060606060606060606060606060606060606060606', 'launch', 'refused', '{"client": "acme"}', '2026-11-29T00:10:55.698813+00:00');
INSERT INTO public.uses (key, campaign, step, labels, since) VALUES ('0707070707070707070707070707070707070707070707070707070707070707', 'launch', 'unpriced', '{"client": "acme"}', '2026-11-29T00:10:55.711331+00:00');
SELECT pg_catalog.setval('public.assets_id_seq', 1, true);
SELECT pg_catalog.setval('public.attempts_id_seq1', 7, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.assets
    ADD CONSTRAINT assets_path_key UNIQUE (path);
ALTER TABLE ONLY public.assets
    ADD CONSTRAINT assets_pkey1 PRIMARY KEY (id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_key_number_key1 UNIQUE (key, number);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey1 PRIMARY KEY (id);
ALTER TABLE ONLY public.balances
    ADD CONSTRAINT balances_pkey PRIMARY KEY (account);
ALTER TABLE ONLY public.caps
    ADD CONSTRAINT caps_pkey PRIMARY KEY (account, scope);
ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (account);
ALTER TABLE ONLY public.interests
    ADD CONSTRAINT interests_pkey PRIMARY KEY (attempt, run);
ALTER TABLE ONLY public.owners
    ADD CONSTRAINT owners_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.submissions
    ADD CONSTRAINT submissions_pkey1 PRIMARY KEY (key);
ALTER TABLE ONLY public.uses
    ADD CONSTRAINT uses_pkey PRIMARY KEY (key, campaign, step);
CREATE INDEX endings ON public.attempts USING btree (account, ended_at);
CREATE INDEX ix_assets_attempt ON public.assets USING btree (attempt);
CREATE INDEX ix_assets_came_as ON public.assets USING btree (came_as);
CREATE INDEX ix_assets_sha256 ON public.assets USING btree (sha256);
CREATE UNIQUE INDEX one_live_attempt ON public.attempts USING btree (key) WHERE ((state)::text = ANY ((ARRAY['intended'::character varying, 'bound'::character varying, 'in_doubt'::character varying, 'stored'::character varying, 'content_refused'::character varying])::text[]));
CREATE UNIQUE INDEX one_unbound_echo ON public.attempts USING btree (account, echo) WHERE (((state)::text = 'intended'::text) AND (echo IS NOT NULL));
CREATE INDEX open_attempts ON public.attempts USING btree (intended_at) WHERE ((state)::text = ANY ((ARRAY['intended'::character varying, 'bound'::character varying, 'in_doubt'::character varying])::text[]));
CREATE INDEX remote_jobs ON public.attempts USING btree (account, remote_id);
CREATE INDEX spending ON public.attempts USING btree (account, unit, intended_at, state, charged, reserved);
CREATE INDEX spending_of_campaigns ON public.attempts USING btree (account, unit, campaign, state, charged, reserved);
CREATE INDEX spending_of_runs ON public.attempts USING btree (account, unit, run, state, charged, reserved);
ALTER TABLE ONLY public.assets
    ADD CONSTRAINT assets_attempt_fkey1 FOREIGN KEY (attempt) REFERENCES public.attempts(id);
ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_key_fkey1 FOREIGN KEY (key) REFERENCES public.submissions(key);
ALTER TABLE ONLY public.interests
    ADD CONSTRAINT interests_attempt_fkey FOREIGN KEY (attempt) REFERENCES public.attempts(id);
ALTER TABLE ONLY public.uses
    ADD CONSTRAINT uses_key_fkey FOREIGN KEY (key) REFERENCES public.submissions(key);
