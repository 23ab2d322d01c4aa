BEGIN TRANSACTION;
CREATE TABLE ablate_store (
	version INTEGER NOT NULL, 
	next_id INTEGER NOT NULL
);
INSERT INTO "ablate_store" VALUES(1,7);
CREATE TABLE epochs (
	record INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	train_loss DOUBLE PRECISION, 
	train_acc DOUBLE PRECISION, 
	val_loss DOUBLE PRECISION, 
	val_acc DOUBLE PRECISION, 
	test_loss DOUBLE PRECISION, 
	test_acc DOUBLE PRECISION, 
	seconds DOUBLE PRECISION NOT NULL, 
	PRIMARY KEY (record, epoch)
)
 WITHOUT ROWID

;
INSERT INTO "epochs" VALUES(2,1,1.26709247309366856981e+00,0.55415,NULL,NULL,0.842505310344696,0.6752,5.44642839866658778902e+00);
INSERT INTO "epochs" VALUES(2,2,7.03869305038452131029e-01,0.73275,NULL,NULL,7.15590212154388449761e-01,0.7393,5.63773971600009371485e+00);
INSERT INTO "epochs" VALUES(2,3,6.1116362520853673157e-01,7.71016666666666683482e-01,NULL,NULL,6.38568359327316259488e-01,0.7566,4.17075022466663813958e+00);
INSERT INTO "epochs" VALUES(3,1,1.4534047332763671001e+00,0.4811,NULL,NULL,9.81903676319122342697e-01,0.6363,5.82109411933318643406e+00);
INSERT INTO "epochs" VALUES(3,2,6.90131176122029676989e-01,0.7351,NULL,NULL,6.81607211780548061241e-01,0.7597,6.19003103633319096132e+00);
INSERT INTO "epochs" VALUES(3,3,5.9220912653605140008e-01,7.75316666666666653995e-01,NULL,NULL,6.61540841102600141176e-01,0.7386,5.97566134533311288379e+00);
INSERT INTO "epochs" VALUES(4,1,1.38695865720113120644e+00,0.50265,NULL,NULL,8.86553932571411129615e-01,0.6499,5.59858950266667942941e+00);
INSERT INTO "epochs" VALUES(4,2,7.32823647626241081454e-01,0.7216,NULL,NULL,6.59448907279968299377e-01,0.7556,3.71890638499977876918e+00);
INSERT INTO "epochs" VALUES(4,3,6.31941297531127932352e-01,7.58483333333333287207e-01,NULL,NULL,0.659840412902832,0.7436,4.08674995733326795743e+00);
INSERT INTO "epochs" VALUES(5,1,2.5,0.1,NULL,NULL,9e999,0.1,1.0);
INSERT INTO "epochs" VALUES(5,2,'nan',0.1,NULL,NULL,'nan',0.1,3.00000000000000044408e-01);
CREATE TABLE leases (
	digest VARCHAR(64) NOT NULL, 
	owner VARCHAR(64) NOT NULL, 
	machine TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	process_started VARCHAR(32) NOT NULL, 
	expires DOUBLE NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "leases" VALUES('ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','3b1f76337b64485fb18503b32844d1a2','elsewhere',20789,'296926',1.795638588407626152e+09);
CREATE TABLE records (
	id INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	trajectory VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	epochs INTEGER NOT NULL, 
	error TEXT, 
	config TEXT NOT NULL, 
	notes TEXT NOT NULL, 
	provenance TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (digest)
);
INSERT INTO "records" VALUES(2,'c6467651473fef14e5240ad8878957a14fc29a41903c07634524f9d0c09d9b4c','6ca9163ee6e76f393e70c8bf203b26fcf94758ac72f2aff55666a419b49c9a8a','complete',3,NULL,'{"engine": 1, "model": {"name": "lenet", "activation": "relu", "activation_c5": "relu", "activation_f6": "relu", "pooling": "avg", "kernel_size": 5, "kernel_size_2": 5, "pool_size": 2, "pool_stride": 2, "channels": [6, 16], "widths": [120, 84], "dropout": 0.0}, "data": {"protocol": "article", "train_size": null, "val_size": 10000, "split_seed": null, "normalize": false, "image_size": null, "name": "fashion_mnist"}, "optimizer": {"lr": 0.03, "weight_decay": 0.0, "name": "sgd", "momentum": 0.0, "nesterov": false}, "schedule": {"name": "constant"}, "train": {"epochs": 3, "batch_size": 256, "loss": "cross_entropy", "label_smoothing": 0.0, "init": "xavier_uniform", "init_std": 0.1, "precision": "fp32"}, "seed": 0}','{"cohort": 3, "batches": 1, "stacked": true, "stacked_reason": null, "fused": true, "fused_reason": null, "compiled": false, "compiled_reason": "fused CPU blocks leave too little to gain", "estimated_seconds": 13.536808198666524}','{"commit": "42a7190f3fd213c7193c886f1a45de2883326676", "dirty": false, "versions": {"ablate": "0.1.0", "python": "3.11.7", "torch": "2.14.1", "torchvision": "0.29.1", "numpy": "2.4.6"}, "host": "vm", "cpu": "Intel(R) Xeon(R) Processor", "cores": 2, "device": "cpu", "gpu": null, "threads": 1, "started": "2026-11-22T04:09:22.469+00:00", "ended": "2026-11-22T04:10:08.282+00:00"}');
INSERT INTO "records" VALUES(3,'60cb51cbffe4adb3a9c2364233b5f8e69cf3d960e7888d21b77767266e0fd94f','f5f64a5d20238a68838973d8ee2c6a90392c05c740969fb13d67f05c26d37fc8','complete',3,NULL,'{"engine": 1, "model": {"name": "lenet", "activation": "relu", "activation_c5": "relu", "activation_f6": "relu", "pooling": "avg", "kernel_size": 5, "kernel_size_2": 5, "pool_size": 2, "pool_stride": 2, "channels": [6, 16], "widths": [120, 84], "dropout": 0.0}, "data": {"protocol": "article", "train_size": null, "val_size": 10000, "split_seed": null, "normalize": false, "image_size": null, "name": "fashion_mnist"}, "optimizer": {"lr": 0.03, "weight_decay": 0.0, "name": "sgd", "momentum": 0.0, "nesterov": false}, "schedule": {"name": "constant"}, "train": {"epochs": 3, "batch_size": 256, "loss": "cross_entropy", "label_smoothing": 0.0, "init": "xavier_uniform", "init_std": 0.1, "precision": "fp32"}, "seed": 1}','{"cohort": 3, "batches": 1, "stacked": true, "stacked_reason": null, "fused": true, "fused_reason": null, "compiled": false, "compiled_reason": "fused CPU blocks leave too little to gain", "estimated_seconds": 13.415516574333196}','{"commit": "42a7190f3fd213c7193c886f1a45de2883326676", "dirty": false, "versions": {"ablate": "0.1.0", "python": "3.11.7", "torch": "2.14.1", "torchvision": "0.29.1", "numpy": "2.4.6"}, "host": "vm", "cpu": "Intel(R) Xeon(R) Processor", "cores": 2, "device": "cpu", "gpu": null, "threads": 1, "started": "2026-11-22T04:09:10.002+00:00", "ended": "2026-11-22T04:10:04.002+00:00"}');
INSERT INTO "records" VALUES(4,'9ece307a3c399ff846f71a20035e326d5e59f5aca22e2d76bd6498fba63b2b24','32e2d2f84230e3700020165439980518575940d0106dc07a639176c326be3556','complete',3,NULL,'{"engine": 1, "model": {"name": "lenet", "activation": "relu", "activation_c5": "relu", "activation_f6": "relu", "pooling": "avg", "kernel_size": 5, "kernel_size_2": 5, "pool_size": 2, "pool_stride": 2, "channels": [6, 16], "widths": [120, 84], "dropout": 0.0}, "data": {"protocol": "article", "train_size": null, "val_size": 10000, "split_seed": null, "normalize": false, "image_size": null, "name": "fashion_mnist"}, "optimizer": {"lr": 0.03, "weight_decay": 0.0, "name": "sgd", "momentum": 0.0, "nesterov": false}, "schedule": {"name": "constant"}, "train": {"epochs": 3, "batch_size": 256, "loss": "cross_entropy", "label_smoothing": 0.0, "init": "xavier_uniform", "init_std": 0.1, "precision": "fp32"}, "seed": 2}','{"cohort": 3, "batches": 1, "stacked": true, "stacked_reason": null, "fused": true, "fused_reason": null, "compiled": false, "compiled_reason": "fused CPU blocks leave too little to gain", "estimated_seconds": 17.236623518999902}','{"commit": "42a7190f3fd213c7193c886f1a45de2883326676", "dirty": false, "versions": {"ablate": "0.1.0", "python": "3.11.7", "torch": "2.14.1", "torchvision": "0.29.1", "numpy": "2.4.6"}, "host": "vm", "cpu": "Intel(R) Xeon(R) Processor", "cores": 2, "device": "cpu", "gpu": null, "threads": 1, "started": "2026-11-22T04:08:29.737+00:00", "ended": "2026-11-22T04:09:09.992+00:00"}');
INSERT INTO "records" VALUES(5,'432c59541356f1b1d55ed007fb344b0ed7277ac2b46886f36d61c4fe3113661c','31bf0141fee25bf87719445d1c34eb12359ba93e2c22f6242bd65451b75ecc57','diverged',10,NULL,'{"engine": 1, "model": {"name": "lenet", "activation": "sigmoid", "activation_c5": "sigmoid", "activation_f6": "sigmoid", "pooling": "avg", "kernel_size": 5, "kernel_size_2": 5, "pool_size": 2, "pool_stride": 2, "channels": [6, 16], "widths": [120, 84], "dropout": 0.0}, "data": {"protocol": "article", "train_size": null, "val_size": 10000, "split_seed": null, "normalize": false, "image_size": null, "name": "fashion_mnist"}, "optimizer": {"lr": 30.0, "weight_decay": 0.0, "name": "sgd", "momentum": 0.0, "nesterov": false}, "schedule": {"name": "constant"}, "train": {"epochs": 10, "batch_size": 256, "loss": "cross_entropy", "label_smoothing": 0.0, "init": "xavier_uniform", "init_std": 0.1, "precision": "fp32"}, "seed": 0}','{"cohort": 1}','{"host": "here"}');
INSERT INTO "records" VALUES(6,'f731a9c6fc57044b2872044a083cc95a57ab3c97fcb3664e9d718d5e55152691','2aa9812e0fa7b246ae017d96615abf5d808d5c71ce3bdde3bbdc439fedf4174f','failed',10,'Traceback
  a, "b''
ValueError: no é	','{"engine": 1, "model": {"name": "lenet", "activation": "sigmoid", "activation_c5": "sigmoid", "activation_f6": "sigmoid", "pooling": "avg", "kernel_size": 5, "kernel_size_2": 5, "pool_size": 2, "pool_stride": 2, "channels": [6, 16], "widths": [120, 84], "dropout": 0.0}, "data": {"protocol": "article", "train_size": null, "val_size": 10000, "split_seed": null, "normalize": false, "image_size": null, "name": "fashion_mnist"}, "optimizer": {"lr": 0.9, "weight_decay": 0.0, "name": "sgd", "momentum": 0.0, "nesterov": false}, "schedule": {"name": "constant"}, "train": {"epochs": 10, "batch_size": 256, "loss": "cross_entropy", "label_smoothing": 0.0, "init": "xavier_uniform", "init_std": 0.1, "precision": "fp32"}, "seed": 77}','{}','{}');
CREATE TABLE speeds (
	host VARCHAR(255) NOT NULL, 
	device VARCHAR(255) NOT NULL, 
	cohort_key VARCHAR(64) NOT NULL, 
	members INTEGER NOT NULL, 
	shared BOOLEAN NOT NULL, 
	samples_per_second DOUBLE NOT NULL, 
	measured_at VARCHAR(40) NOT NULL, 
	PRIMARY KEY (host, device, cohort_key, members, shared)
);
INSERT INTO "speeds" VALUES('here','cpu','k',10,1,1000.5,'2026-01-01');
CREATE INDEX ix_records_status ON records (status);
CREATE INDEX ix_records_trajectory ON records (trajectory);
CREATE INDEX ix_leases_owner ON leases (owner);
COMMIT;
